/*
 * stdin.c - the source `stdin`: standard input, one partition.
 *
 * The end of the input is told by END | LAST in a batch of its own, after the rows: in that batch
 * the position does not move, so the log never says that the partition has ended. A later start has
 * another standard input, which goes on with the same partition.
 */
#include <weir/plugin.h>

#include "plugins/share/option.h"
#include "plugins/source_stdin/intake.h"

static const struct weir_option options[] = {
    WEIR_OPTION(WEIR_OPTION_TEXT, 0, "format", "text", NULL,
                "name of the format, or an object with `type` and its options"),
};

struct input {
    struct intake_service service;
    struct intake intake;
    uint32_t delivered; /* rows were given, in `batch` */
    uint64_t batch;
};

static int32_t input_create(const struct weir_host *host, struct weir_context *context,
                            void **self, struct weir_error *error)
{
    struct input *input = host->alloc(sizeof *input);
    *self = input;
    if (!input) return no_memory(error);
    memset(input, 0, sizeof *input);
    input->service.host = host;
    intake_init(&input->intake, &input->service, WEIR_IO_STDIN);
    return intake_service_init(&input->service, host, context, error);
}

static void input_destroy(void *self)
{
    struct input *input = self;
    if (!input) return;
    intake_free(&input->intake);
    input->service.host->free(input);
}

static int32_t input_bind(void *self, const struct weir_source_bind *in,
                          struct weir_source_plan *out, struct weir_error *error)
{
    struct input *input = self;
    return intake_service_bind(&input->service, in, out, error);
}

static int32_t input_open(void *self, struct weir_error *error)
{
    (void)self, (void)error;
    return WEIR_OK;
}

static int32_t input_partitions(void *self, struct weir_partitions *list, struct weir_error *error)
{
    (void)self, (void)error;
    return list->add(list->names, "stdin");
}

static int32_t input_next(void *self, const struct weir_next *in, struct weir_next_result *out,
                          struct weir_error *error)
{
    struct input *input = self;
    int32_t status;
    if (in->replay_to.data) return intake_lost(&input->service, in, out);
    status = intake_next(&input->intake, in, out, error);
    if (status != WEIR_OK) return status;
    if (out->position.data) {
        input->delivered = 1;
        input->batch = in->batch;
    }
    if (!input->intake.drained) return WEIR_OK;
    if (input->delivered && input->batch == in->batch) out->flags = WEIR_NEXT_BATCH_END;
    else out->flags = WEIR_NEXT_END | WEIR_NEXT_LAST;
    return WEIR_OK;
}

static int32_t input_commit(void *self, const char *partition, struct weir_bytes position,
                            struct weir_error *error)
{
    (void)self, (void)partition, (void)position, (void)error;
    return WEIR_OK;
}

static int32_t input_position_text(void *self, struct weir_bytes position, char *text,
                                   uint32_t size)
{
    (void)self;
    return intake_position_text(position, text, size);
}

/* `next` never waits and looks at its deadline. */
static void input_cancel(void *self)
{
    (void)self;
}

static void input_close(void *self)
{
    (void)self; /* standard input is not ours */
}

static const struct weir_source source = {
    .size = sizeof source,
    .create = input_create,
    .destroy = input_destroy,
    .bind = input_bind,
    .open = input_open,
    .partitions = input_partitions,
    .next = input_next,
    .commit = input_commit,
    .position_text = input_position_text,
    .place = intake_place,
    .cancel = input_cancel,
    .close = input_close,
};

static const struct weir_component components[] = {
    { .size = sizeof(struct weir_component),
      .kind = WEIR_KIND_SOURCE,
      .name = "stdin",
      .summary = "standard input",
      .options = options,
      .n_options = sizeof options / sizeof *options,
      .capabilities = WEIR_CAP_BYTES | WEIR_CAP_NEEDS_FORMAT,
      .table = &source },
};

static const struct weir_plugin plugin = { sizeof plugin, WEIR_ABI_MAJOR, 0, 0, "weir.source.stdin",
                                           "1.0", "MIT", WEIR_SDK_VERSION, components,
                                           sizeof *components, 1 };
WEIR_PLUGIN(plugin)
