/*
 * elf.h - what the headers of a module say, read from its bytes before anything of it runs.
 */
#ifndef WEIR_CORE_ELF_H
#define WEIR_CORE_ELF_H

#include <stddef.h>

/* 0 where the bytes are a shared library for this machine that keeps the rules of elf.c; else -1
 * and `why` has "needs …; …: …" (need, have, remedy), without the name of the file. Any bytes are
 * safe. [any] */
int elf_check(const void *bytes, size_t n, char *why, size_t size);

/* Calls `each` for the libraries that the module needs, or for the symbols that it can't be loaded
 * without. Names are valid with the bytes. Ends early where `each` answers other than 0, and
 * returns that. Bytes that elf_check refuses give nothing. [any] */
typedef int (*elf_name_fn)(void *arg, const char *name);
int elf_needed(const void *bytes, size_t n, elf_name_fn each, void *arg);
int elf_imports(const void *bytes, size_t n, elf_name_fn each, void *arg);

#endif
