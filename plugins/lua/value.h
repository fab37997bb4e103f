/*
 * value.h - rows as Lua tables, and Lua tables as rows.
 *
 *   bool                     boolean
 *   int32, int64             number; int64 beyond 2^53: int64 cdata
 *   float64                  number
 *   string, binary           string
 *   timestamp                microseconds since the epoch, as int64
 *   date                     days since the epoch
 *   list                     array; where items are null, member `n` says how many there are
 *   struct                   table by field
 *   null                     nil
 *
 * All inside of a body (vm.h); mistakes of the job author are raised as errors of Lua.
 */
#ifndef LUA_VALUE_H
#define LUA_VALUE_H

#include "plugins/lua/vm.h"
#include "plugins/share/column.h"

/* Pushes cell `row` of an array. */
void value_push(struct vm *vm, lua_State *L, const struct ArrowSchema *type,
                const struct ArrowArray *array, uint32_t row);

/* Pushes row `row` of a struct array as a table by column name. */
void value_push_row(struct vm *vm, lua_State *L, const struct ArrowSchema *schema,
                    const struct ArrowArray *array, uint32_t row);

/* Appends the value at `index` to a column. An error of Lua leaves the column as it was, but for
 * nested ones, of which children may be longer: column_truncate the row, then. */
void value_append(struct vm *vm, lua_State *L, int index, struct column *column);

/* Appends the table at `index` to n columns, by their names. A member that is no column is an
 * error, unless `also` (which may be NULL) has a column of that name. */
void value_append_row(struct vm *vm, lua_State *L, int index, struct column *columns, uint32_t n,
                      const struct ArrowSchema *also);

#endif
