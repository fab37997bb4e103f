/*
 * code.h - the bytecode of a script's functions: what it sets and writes outside of them.
 *
 * Bytecode is read through LuaJIT's jit.util, whose operand modes say what an instruction reads and
 * sets. [any], inside of a body (vm.h); raises errors of Lua.
 */
#ifndef LUA_CODE_H
#define LUA_CODE_H

#include <lua.h>
#include <stdint.h>

struct code_reader {
    lua_State *L;
    int util;             /* place of the first of its functions on the stack */
    uint32_t gets_global; /* opcodes that modes alone don't tell */
    uint32_t gets_field;
};

struct instruction {
    uint32_t op, a, b, c; /* operands; `d`: b and c are one */
    uint32_t d;
    uint32_t modes;
};

/* Of a function, or of a prototype of which functions are made. */
struct code {
    const struct instruction *at; /* 1 … n - 1 */
    int n;
    int index;                    /* place of the function on the stack */
};

/* Pushes CODE_READER values, which have to stay where they are. */
#define CODE_READER 3
void code_reader_open(struct code_reader *reader, lua_State *L);

/* Pushes what holds the instructions. */
struct code code_read(const struct code_reader *reader, int index);
int code_line(const struct code_reader *reader, const struct code *code, int pc);
/* Pushes constant `number`: a text, a prototype (CODE_PROTOTYPE) or another. */
#define CODE_PROTOTYPE 9 /* as lua_type has it */
void code_push_constant(const struct code_reader *reader, const struct code *code, uint32_t number);
uint32_t code_constants(const struct code_reader *reader, const struct code *code);

/* local of another function = …; its number is a. */
int code_sets_upvalue(const struct instruction *in);
/* a = local of another function; its number is d. */
int code_gets_upvalue(const struct instruction *in);
/* b[…] = a */
int code_writes_table(const struct instruction *in);

/* The next instruction behind `pc` that reads a field of the table in register `a` of instruction
 * `from` (a = b.name, constant c), or writes to it, where nothing else can be in the register; 0:
 * there is none. */
int code_next_use(const struct code_reader *reader, const struct code *code, int from, int pc);

#endif
