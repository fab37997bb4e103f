/*
 * elf.c - a module's ELF headers, read from its bytes.
 *
 * Rules that a module keeps (each has a message of its own):
 *
 *  1. ELF, of the class, byte order and machine of this process, ET_DYN, with a dynamic section.
 *  2. It exports exactly one symbol, weir_plugin_entry_v1. Left out of the count is what a linker
 *     adds by itself: _init, _fini, _edata, _end, __bss_start, names of symbol versions (absolute),
 *     and the marks of AddressSanitizer. A second export can be bound to instead of another
 *     module's symbol of that name.
 *  3. It defines no STB_GNU_UNIQUE symbol: those are one per process in spite of RTLD_LOCAL, so
 *     that two versions of a module would share them.
 *  4. It imports nothing that begins with weir_.
 *  5. RPATH and RUNPATH are absolute, without $ORIGIN: a module is opened from a private copy,
 *     where $ORIGIN is another directory. Needed libraries are names or absolute paths.
 *
 * What constructors, weak imports and the INIT_ARRAY do is not judged: an empty C module has them
 * too.
 *
 * The file is reached the way the loader does it, through program headers and the dynamic section;
 * section headers may be missing. The number of symbols stands only in the hash tables: nchain of
 * DT_HASH, or, with DT_GNU_HASH (word 0 buckets, 1 first hashed symbol, 2 words of Bloom filter, 3
 * shift; filter; buckets; one word per hashed symbol whose lowest bit ends a chain), the end of the
 * chain that begins at the greatest bucket. All offsets and counts are of the file and may lie:
 * each is checked against the file's length before it is used, by subtraction, and every loop is
 * bounded by the length.
 */
#define _GNU_SOURCE
#include "core/load/elf.h"

#include <elf.h>
#include <link.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "core/load/why.h"

#define ENTRY "weir_plugin_entry_v1"
#define MAX_SYMBOLS 1000000u
#define MAX_NAME 16384u /* so that hostile names can't make the work quadratic */

#if defined(__x86_64__)
#define MACHINE EM_X86_64
#define MACHINE_NAME "x86-64"
#elif defined(__aarch64__)
#define MACHINE EM_AARCH64
#define MACHINE_NAME "AArch64"
#elif defined(__i386__)
#define MACHINE EM_386
#define MACHINE_NAME "i386"
#elif defined(__arm__)
#define MACHINE EM_ARM
#define MACHINE_NAME "ARM"
#elif defined(__riscv)
#define MACHINE EM_RISCV
#define MACHINE_NAME "RISC-V"
#elif defined(__powerpc64__)
#define MACHINE EM_PPC64
#define MACHINE_NAME "PowerPC64"
#elif defined(__s390x__)
#define MACHINE EM_S390
#define MACHINE_NAME "S/390"
#else
#error "add the ELF machine number of this processor"
#endif

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define BYTE_ORDER_OF_HOST ELFDATA2LSB
#else
#define BYTE_ORDER_OF_HOST ELFDATA2MSB
#endif

#define CLASS_OF_HOST (sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32)

struct image {
    const uint8_t *bytes;
    size_t n;
    ElfW(Ehdr) header;
    size_t dynamic, n_dynamic; /* offset in the file, entries */
    size_t strings, n_strings; /* offset, bytes */
    size_t symbols;            /* offset */
    uint32_t n_symbols;
};

/* Bytes [offset, offset + length) into `out`; 0 where they are not all there. */
static int take(const struct image *image, uint64_t offset, void *out, size_t length)
{
    if (offset > image->n || image->n - offset < length) return 0;
    memcpy(out, image->bytes + offset, length);
    return 1;
}

/* The offset in the file of an address, with *room bytes of its segment behind it. */
static int locate(const struct image *image, uint64_t address, size_t *offset, size_t *room)
{
    for (uint32_t i = 0; i < image->header.e_phnum; i++) {
        ElfW(Phdr) segment;
        if (!take(image, image->header.e_phoff + (uint64_t)i * sizeof segment, &segment,
                  sizeof segment))
            return 0;
        if (segment.p_type != PT_LOAD || address < segment.p_vaddr ||
            address - segment.p_vaddr >= segment.p_filesz)
            continue;
        uint64_t skip = address - segment.p_vaddr, length = segment.p_filesz - skip;
        if (segment.p_offset > image->n || image->n - segment.p_offset < skip) return 0;
        *offset = (size_t)(segment.p_offset + skip);
        *room = length < image->n - *offset ? (size_t)length : image->n - *offset;
        return 1;
    }
    return 0;
}

static int dynamic_entry(const struct image *image, size_t i, ElfW(Dyn) *out)
{
    return i < image->n_dynamic &&
           take(image, image->dynamic + i * sizeof *out, out, sizeof *out) && out->d_tag != DT_NULL;
}

static int dynamic_value(const struct image *image, int64_t tag, uint64_t *value)
{
    ElfW(Dyn) entry;
    for (size_t i = 0; dynamic_entry(image, i, &entry); i++)
        if (entry.d_tag == tag) {
            *value = entry.d_un.d_val;
            return 1;
        }
    return 0;
}

/* A name of the string table, NULL where it does not end inside (or is absurdly long). */
static const char *string_at(const struct image *image, uint64_t at)
{
    if (at >= image->n_strings) return NULL;
    const char *text = (const char *)image->bytes + image->strings + at;
    size_t room = image->n_strings - (size_t)at;
    return memchr(text, 0, room < MAX_NAME ? room : MAX_NAME) ? text : NULL;
}

static int count_gnu_hash(const struct image *image, uint64_t address, uint32_t *count)
{
    size_t at, room;
    uint32_t head[4], last = 0, link;
    if (!locate(image, address, &at, &room) || room < sizeof head) return 0;
    if (!take(image, at, head, sizeof head)) return 0;
    uint64_t buckets = sizeof head + (uint64_t)head[2] * sizeof(ElfW(Addr));
    uint64_t chains = buckets + (uint64_t)head[0] * 4;
    if (chains > room) return 0;
    for (uint32_t i = 0; i < head[0]; i++) {
        uint32_t first;
        if (!take(image, at + buckets + (uint64_t)i * 4, &first, 4)) return 0;
        if (first > last) last = first;
    }
    if (last < head[1]) {
        *count = head[1];
        return 1;
    }
    do {
        uint64_t place = chains + (uint64_t)(last - head[1]) * 4;
        if (place + 4 > room || !take(image, at + place, &link, 4)) return 0;
        last++;
    } while (!(link & 1));
    *count = last;
    return 1;
}

static int count_symbols(const struct image *image, uint32_t *count)
{
    uint64_t address;
    size_t at, room;
    uint32_t head[2];
    if (dynamic_value(image, DT_GNU_HASH, &address)) return count_gnu_hash(image, address, count);
    if (!dynamic_value(image, DT_HASH, &address)) return 0;
    if (!locate(image, address, &at, &room) || room < sizeof head) return 0;
    if (!take(image, at, head, sizeof head)) return 0;
    *count = head[1];
    return 1;
}

static int find_dynamic(struct image *image)
{
    for (uint32_t i = 0; i < image->header.e_phnum; i++) {
        ElfW(Phdr) segment;
        if (!take(image, image->header.e_phoff + (uint64_t)i * sizeof segment, &segment,
                  sizeof segment))
            return 0;
        if (segment.p_type != PT_DYNAMIC) continue;
        if (segment.p_offset > image->n || image->n - segment.p_offset < segment.p_filesz) return 0;
        image->dynamic = (size_t)segment.p_offset;
        image->n_dynamic = (size_t)(segment.p_filesz / sizeof(ElfW(Dyn)));
        return image->n_dynamic > 0;
    }
    return 0;
}

/* Strings and symbols; 0 where a table does not lie inside the file. */
static int find_tables(struct image *image)
{
    uint64_t address, length;
    size_t room;
    if (!dynamic_value(image, DT_STRTAB, &address) || !dynamic_value(image, DT_STRSZ, &length) ||
        !locate(image, address, &image->strings, &room) || room < length)
        return 0;
    image->n_strings = (size_t)length;
    if (!dynamic_value(image, DT_SYMTAB, &address) ||
        !locate(image, address, &image->symbols, &room) ||
        !count_symbols(image, &image->n_symbols))
        return 0;
    return image->n_symbols <= MAX_SYMBOLS &&
           (uint64_t)image->n_symbols * sizeof(ElfW(Sym)) <= room;
}

static int image_open(struct image *image, const void *bytes, size_t n, char *why, size_t size)
{
    ElfW(Ehdr) *h = &image->header;
    memset(image, 0, sizeof *image);
    image->bytes = bytes;
    image->n = n;
    if (n < SELFMAG || memcmp(bytes, ELFMAG, SELFMAG) != 0)
        return refuse("needs to be a shared library; its %zu bytes are not ELF: "
                      "take it out of the directory or build it again", n);
    if (!take(image, 0, h, sizeof *h))
        return refuse("needs whole ELF headers; the file ends after %zu bytes: copy it again", n);
    if (h->e_ident[EI_CLASS] != CLASS_OF_HOST || h->e_ident[EI_DATA] != BYTE_ORDER_OF_HOST ||
        h->e_machine != MACHINE)
        return refuse("needs another machine (ELF machine %u, %s-bit); this weir is for "
                      MACHINE_NAME ": build it for this machine", (unsigned)h->e_machine,
                      h->e_ident[EI_CLASS] == ELFCLASS64 ? "64" : "32");
    if (h->e_type != ET_DYN)
        return refuse("needs to be a shared library; it is an ELF file of type %u: link it with "
                      "-shared", (unsigned)h->e_type);
    if (h->e_phentsize != sizeof(ElfW(Phdr)) || !find_dynamic(image) || !find_tables(image))
        return refuse("needs whole ELF headers; they are damaged or the file is cut at %zu bytes: "
                      "copy or build it again", n);
    return 0;
}

static int symbol_at(const struct image *image, uint32_t i, ElfW(Sym) *symbol, const char **name)
{
    if (!take(image, image->symbols + (uint64_t)i * sizeof *symbol, symbol, sizeof *symbol))
        return 0;
    *name = string_at(image, symbol->st_name);
    return *name != NULL;
}

static int linker_made(const char *name, const ElfW(Sym) *symbol)
{
    static const char *const names[] = { "_init", "_fini", "_edata", "_end", "__bss_start" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0) return 1;
    if (symbol->st_shndx == SHN_ABS) return 1;
    return strncmp(name, "__odr_asan", 10) == 0;
}

static int check_export(const ElfW(Sym) *symbol, const char *name, int *has_entry, char *why,
                        size_t size)
{
    unsigned binding = ELF64_ST_BIND(symbol->st_info);
    unsigned visibility = ELF64_ST_VISIBILITY(symbol->st_other);
    if (binding == STB_GNU_UNIQUE)
        return refuse("needs symbols of its own; `%s` is unique in the process (STB_GNU_UNIQUE), "
                      "so two versions of the module would share it: compile with -fno-gnu-unique "
                      "-fvisibility=hidden", name);
    if (binding == STB_LOCAL || visibility == STV_HIDDEN || visibility == STV_INTERNAL ||
        linker_made(name, symbol))
        return 0;
    if (strcmp(name, ENTRY) == 0) {
        *has_entry = 1;
        return 0;
    }
    if (strncmp(name, "weir_plugin_entry_v", 19) == 0) return 0; /* said better by check_entry */
    return refuse("needs to export " ENTRY " alone; it exports `%s` too: compile with "
                  "-fvisibility=hidden or link with -export-symbols-regex '^" ENTRY "$'", name);
}

static int check_entry(const struct image *image, int has_entry, char *why, size_t size)
{
    ElfW(Sym) symbol;
    const char *name;
    if (has_entry) return 0;
    for (uint32_t i = 1; i < image->n_symbols; i++)
        if (symbol_at(image, i, &symbol, &name) && symbol.st_shndx != SHN_UNDEF &&
            strncmp(name, "weir_plugin_entry_v", 19) == 0)
            return refuse("needs host ABI %.20s; this weir offers 1: upgrade weir or install "
                          "an older version of the module", name + 19);
    return refuse("needs to export " ENTRY "; it does not, so it is no plugin of weir: end its "
                  "source with WEIR_PLUGIN(…), or take the file out of the directory");
}

static int check_symbols(const struct image *image, char *why, size_t size)
{
    ElfW(Sym) symbol;
    const char *name;
    int has_entry = 0;
    for (uint32_t i = 1; i < image->n_symbols; i++) {
        if (!symbol_at(image, i, &symbol, &name))
            return refuse("needs whole ELF headers; symbol %u has no name inside the file: "
                          "copy or build it again", i);
        if (symbol.st_shndx != SHN_UNDEF) {
            if (check_export(&symbol, name, &has_entry, why, size) != 0) return -1;
        } else if (strncmp(name, "weir_", 5) == 0) {
            return refuse("needs `%s` of the host by name; weir gives nothing by name: use the "
                          "host table that the entry function gets", name);
        }
    }
    return check_entry(image, has_entry, why, size);
}

static int check_run_path(const char *path, char *why, size_t size)
{
    for (const char *p = path;; p++) {
        const char *end = strchrnul(p, ':');
        if (*p != '/' || memchr(p, '$', (size_t)(end - p)))
            return refuse("needs libraries from `%s`; it is opened from a private copy, so only "
                          "absolute run paths work: link it with an absolute -rpath or none", path);
        if (!*end) return 0;
        p = end;
    }
}

static int check_dynamic(const struct image *image, char *why, size_t size)
{
    ElfW(Dyn) entry;
    for (size_t i = 0; dynamic_entry(image, i, &entry); i++) {
        int path = entry.d_tag == DT_RPATH || entry.d_tag == DT_RUNPATH;
        if (!path && entry.d_tag != DT_NEEDED) continue;
        const char *text = string_at(image, entry.d_un.d_val);
        if (!text)
            return refuse("needs whole ELF headers; a name of its dynamic section lies outside of "
                          "the file: copy or build it again");
        if (path && check_run_path(text, why, size) != 0) return -1;
        if (!path && *text != '/' && strchr(text, '/'))
            return refuse("needs the library `%s` by a relative path; it is opened from a private "
                          "copy: link it by name or absolute path", text);
    }
    return 0;
}

int elf_check(const void *bytes, size_t n, char *why, size_t size)
{
    struct image image;
    if (image_open(&image, bytes, n, why, size) != 0) return -1;
    if (check_symbols(&image, why, size) != 0) return -1;
    return check_dynamic(&image, why, size);
}

int elf_needed(const void *bytes, size_t n, elf_name_fn each, void *arg)
{
    struct image image;
    ElfW(Dyn) entry;
    char why[512];
    if (image_open(&image, bytes, n, why, sizeof why) != 0) return 0;
    for (size_t i = 0; dynamic_entry(&image, i, &entry); i++) {
        const char *name = entry.d_tag == DT_NEEDED ? string_at(&image, entry.d_un.d_val) : NULL;
        int result = name ? each(arg, name) : 0;
        if (result != 0) return result;
    }
    return 0;
}

int elf_imports(const void *bytes, size_t n, elf_name_fn each, void *arg)
{
    struct image image;
    ElfW(Sym) symbol;
    const char *name;
    char why[512];
    if (image_open(&image, bytes, n, why, sizeof why) != 0) return 0;
    for (uint32_t i = 1; i < image.n_symbols; i++) {
        if (!symbol_at(&image, i, &symbol, &name) || symbol.st_shndx != SHN_UNDEF ||
            ELF64_ST_BIND(symbol.st_info) != STB_GLOBAL)
            continue;
        int result = each(arg, name);
        if (result != 0) return result;
    }
    return 0;
}
