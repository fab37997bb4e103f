/*
 * file_world.c - see the header.
 */
#include "tests/plugins/file_world.h"

#include <stdio.h>

#include "core/data/array.h"
#include "plugins/share/manifest.h"

/* ---- the job ---- */

uint32_t batch_rows(uint32_t batch)
{
    return batch == 2 ? 0 : batch == 1 ? WORLD_ROWS : 2 * WORLD_ROWS;
}

void log_copy(struct log *to, const struct log *from)
{
    log_free(to);
    for (uint32_t i = 0; i < WORLD_BATCHES; i++)
        buffer_add(&to->committables[i], from->committables[i].data, from->committables[i].length);
    to->states = from->states;
    to->done = from->done;
}

void log_free(struct log *log)
{
    for (uint32_t i = 0; i < WORLD_BATCHES; i++) mem_free(log->committables[i].data);
    memset(log, 0, sizeof *log);
}

static void make_rows(const struct config *config, uint32_t batch, uint32_t partition, char *out,
                      size_t size)
{
    static const char *const keys[] = { "\"x\"", "\"y/.. z\"", "null" };
    size_t n = (size_t)snprintf(out, size, "[");
    for (uint32_t i = 0; i < WORLD_ROWS; i++) {
        char key[40] = "";
        if (strncmp(config->ddl, "k ", 2) == 0)
            snprintf(key, sizeof key, "%s,", keys[(batch + i) % 3]);
        n += (size_t)snprintf(out + n, size - n, "%s[%s\"b%u-p%u-r%u\"]", i ? "," : "", key, batch,
                              partition, i);
    }
    snprintf(out + n, size - n, "]");
}

/* One call of the host: `again` on RETRY as often as it takes, up to a bound. */
static int retry(struct life *life, struct fake *fake, int32_t status)
{
    life->status = status;
    if (status != WEIR_RETRY || life->retries >= 40) {
        if (status != WEIR_OK) snprintf(life->text, sizeof life->text, "%s", fake->error.text);
        return 0;
    }
    life->retries++;
    weir_error_init(&fake->error);
    if (life->on_retry) life->on_retry(life);
    return 1;
}

static int32_t write_rows(struct life *life, struct fake *fake, uint32_t batch)
{
    char rows[1024];
    int32_t status = fake_begin(fake, batch, START_US + batch * 1000000ll, 2);
    for (uint32_t p = 0; p < batch_rows(batch) / WORLD_ROWS && status == WEIR_OK; p++) {
        make_rows(life->config, batch, p, rows, sizeof rows);
        status = fake_write(fake, batch, p, rows);
    }
    return status;
}

static int32_t prepare(struct life *life, struct fake *fake, uint32_t batch)
{
    struct weir_error ignored = WEIR_ERROR_INIT;
    struct weir_buffer *to = &life->log->committables[batch];
    int32_t status;
    do {
        to->length = 0;
        status = write_rows(life, fake, batch);
        if (status == WEIR_OK) status = sink_of(fake)->prepare(fake->self, to, &fake->error);
        if (status != WEIR_OK) sink_of(fake)->abort(fake->self, &ignored);
    } while (retry(life, fake, status));
    return status;
}

static int32_t commit(struct life *life, struct fake *fake, uint32_t batch)
{
    struct weir_buffer *from = &life->log->committables[batch];
    struct weir_committable c = { batch, { from->data, from->length } };
    uint32_t outcome;
    int32_t status;
    do {
        outcome = 0;
        status = sink_of(fake)->commit(fake->self, &c, &outcome, &fake->error);
    } while (retry(life, fake, status));
    if (status == WEIR_OK && outcome != WEIR_COMMIT_DONE && outcome != WEIR_COMMIT_ALREADY) {
        snprintf(life->text, sizeof life->text, "outcome %u", outcome);
        return life->status = WEIR_FATAL;
    }
    return status;
}

static int32_t start(struct life *life, struct fake *fake)
{
    struct weir_committable list[WORLD_BATCHES];
    uint32_t n = 0;
    int32_t status;
    for (uint32_t i = life->log->done; i < life->log->states; i++) {
        struct weir_buffer *b = &life->log->committables[i];
        list[n++] = (struct weir_committable){ i, { b->data, b->length } };
    }
    do status = fake_open_sink(fake, life->job ? life->job : "1");
    while (retry(life, fake, status));
    if (status != WEIR_OK) return status;
    do status = sink_of(fake)->recover(fake->self, list, n, life->log->states, &fake->error);
    while (retry(life, fake, status));
    for (uint32_t i = life->log->done; i < life->log->states && status == WEIR_OK; i++) {
        status = commit(life, fake, i);
        if (status == WEIR_OK) life->log->done = i + 1;
    }
    return status;
}

void life_run(struct life *life)
{
    struct weir_sys *sys = sim_create(life->disk, START_US, 7);
    struct fake fake;
    int32_t status;
    life->retries = 0;
    life->text[0] = 0;
    sim_kill_at(sys, life->kill_at);
    if (life->fault_at) sim_fault_at(sys, life->fault_at, life->fault, life->forever);
    if (life->on_sync) sim_on_sync(sys, life->on_sync, life->arg);
    status = fake_create(&fake, sys, entry_sink_file, entry_format_text, life->config->options);
    if (status == WEIR_OK) status = fake_bind_sink(&fake, life->config->ddl, WEIR_FORM_APPEND);
    if (status != WEIR_OK) {
        life->status = status;
        snprintf(life->text, sizeof life->text, "%s", fake.error.text);
    }
    if (status == WEIR_OK) status = start(life, &fake);
    for (uint32_t b = life->log->states;
         b < WORLD_BATCHES && status == WEIR_OK && !life->recover_only; b++) {
        status = prepare(life, &fake, b);
        if (status != WEIR_OK || life->silent_at == b + 1) break;
        life->log->states = b + 1;
        status = commit(life, &fake, b);
        if (status == WEIR_OK) life->log->done = b + 1;
    }
    life->calls = sim_calls(sys);
    fake_destroy(&fake);
    sys_destroy(sys);
}

/* ---- a look at the directory ---- */

struct look {
    const struct config *config;
    const struct sim_disk *disk;
    const struct log *log;
    uint32_t seen[WORLD_BATCHES][2][WORLD_ROWS];
    uint32_t in_manifest[WORLD_BATCHES];
    uint32_t files, named, hidden, open;
    char wrong[3000];
};

static void look_rows(struct look *look, const char *path, const uint8_t *text, size_t n)
{
    size_t at = 0;
    while (at < n && !look->wrong[0]) {
        unsigned b, p, r;
        char line[64] = "";
        const uint8_t *end = memchr(text + at, '\n', n - at);
        size_t length = end ? (size_t)(end - text) - at : n - at;
        if (length < sizeof line) memcpy(line, text + at, length);
        if (!end || sscanf(line, "b%u-p%u-r%u", &b, &p, &r) != 3 || b >= WORLD_BATCHES || p > 1 ||
            r >= WORLD_ROWS) {
            snprintf(look->wrong, sizeof look->wrong, "%s has the line '%s'", path, line);
        } else if (look->seen[b][p][r]++) {
            snprintf(look->wrong, sizeof look->wrong, "%s has row %s again", path, line);
        } else if (b >= look->log->states) {
            snprintf(look->wrong, sizeof look->wrong, "%s has row %s without STATE", path, line);
        }
        at += length + 1;
    }
}

static void look_file(void *arg, const char *path)
{
    struct look *look = arg;
    const char *name = strrchr(path, '/') + 1;
    const uint8_t *text;
    size_t n;
    if (strncmp(path, OUT "/_weir/", strlen(OUT "/_weir/")) == 0) return;
    if (*name == '.') {
        look->hidden++;
        return;
    }
    look->files++;
    text = sim_disk_file(look->disk, path, &n);
    look_rows(look, path, text, n);
}

static int32_t look_entry(void *arg, const struct manifest_entry *entry)
{
    struct look *look = arg;
    char path[2048];
    const uint8_t *text;
    size_t n = 0;
    snprintf(path, sizeof path, OUT "/%s", entry->name);
    text = sim_disk_file(look->disk, path, &n);
    if (entry->batch >= WORLD_BATCHES || entry->batch >= look->log->states)
        snprintf(look->wrong, sizeof look->wrong, "the manifest has batch %llu without STATE",
                 (unsigned long long)entry->batch);
    else if (entry->part == 1 && look->in_manifest[entry->batch]++)
        snprintf(look->wrong, sizeof look->wrong, "the manifest has batch %llu twice",
                 (unsigned long long)entry->batch);
    else if (entry->kind == MANIFEST_WHOLE && (!text || n != entry->bytes))
        snprintf(look->wrong, sizeof look->wrong, "the manifest names %s with %llu bytes: %s", path,
                 (unsigned long long)entry->bytes, text ? "other length" : "missing");
    if (entry->kind == MANIFEST_WHOLE) look->named++;
    return look->wrong[0] ? WEIR_DATA : WEIR_OK;
}

/* A hidden file that grows: the last word of the manifest says how much of it counts. */
struct open_file {
    char name[MANIFEST_NAME_MAX], final_name[MANIFEST_NAME_MAX];
    uint64_t bytes;
};

struct open_files {
    struct open_file list[64];
    uint32_t n;
};

static int32_t open_entry(void *arg, const struct manifest_entry *entry)
{
    struct open_files *open = arg;
    const char *final_name = entry->kind == MANIFEST_OPEN ? entry->final_name : entry->name;
    uint32_t i = 0;
    while (i < open->n && strcmp(open->list[i].final_name, final_name)) i++;
    if (entry->kind == MANIFEST_WHOLE) {
        if (i < open->n) open->list[i] = open->list[--open->n];
        return WEIR_OK;
    }
    if (i == open->n && open->n++ >= 64) return WEIR_FATAL;
    snprintf(open->list[i].name, sizeof open->list[i].name, "%s", entry->name);
    snprintf(open->list[i].final_name, sizeof open->list[i].final_name, "%s", final_name);
    open->list[i].bytes = entry->bytes;
    return WEIR_OK;
}

static void look_manifest(struct look *look)
{
    static struct open_files open;
    struct weir_error error = WEIR_ERROR_INIT;
    struct weir_bytes text;
    size_t n = 0;
    uint64_t end;
    text.data = sim_disk_file(look->disk, OUT "/_weir/manifest", &n);
    text.length = n;
    open.n = 0;
    if (!text.data) return;
    if (manifest_read(text, look_entry, look, &end, &error) != WEIR_OK && !look->wrong[0])
        snprintf(look->wrong, sizeof look->wrong, "%s", error.text);
    if (look->wrong[0] || manifest_read(text, open_entry, &open, &end, &error) != WEIR_OK) return;
    look->open = open.n;
    for (uint32_t i = 0; i < open.n && !look->wrong[0]; i++) {
        char path[2048];
        const uint8_t *bytes;
        snprintf(path, sizeof path, OUT "/%s", open.list[i].name);
        bytes = sim_disk_file(look->disk, path, &n);
        if (!bytes) { /* renamed by a commit that is not in the manifest yet */
            snprintf(path, sizeof path, OUT "/%s", open.list[i].final_name);
            if (!sim_disk_file(look->disk, path, &n))
                snprintf(look->wrong, sizeof look->wrong, "%s is gone", path);
        } else if (n < open.list[i].bytes) {
            snprintf(look->wrong, sizeof look->wrong, "%s is too short", path);
        } else {
            look_rows(look, path, bytes, open.list[i].bytes);
        }
    }
}

const char *world_check(const struct config *config, const struct sim_disk *disk,
                        const struct log *log, int kind)
{
    static struct look look;
    memset(&look, 0, sizeof look);
    look.config = config;
    look.disk = disk;
    look.log = log;
    sim_disk_each(disk, OUT, look_file, &look);
    if (!look.wrong[0]) look_manifest(&look);
    uint32_t whole = kind == LOOK_FINISHED ? WORLD_BATCHES : log->done;
    for (uint32_t b = 0; b < whole && !look.wrong[0]; b++)
        for (uint32_t i = 0; i < batch_rows(b); i++)
            if (!look.seen[b][i / WORLD_ROWS][i % WORLD_ROWS])
                snprintf(look.wrong, sizeof look.wrong, "batch %u has lost row %u", b, i);
    if (!look.wrong[0] && kind == LOOK_FINISHED && config->manifest && look.named != look.files)
        snprintf(look.wrong, sizeof look.wrong, "%u files, %u in the manifest", look.files,
                 look.named);
    if (!look.wrong[0] && kind != LOOK_ANY && look.hidden != look.open)
        snprintf(look.wrong, sizeof look.wrong, "%u hidden files, %u wanted", look.hidden,
                 look.open);
    return look.wrong[0] ? look.wrong : NULL;
}
