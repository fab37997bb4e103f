/*
 * run.c - `weir run`.
 */
#include <stdlib.h>

#include "tools/weir/commands.h"
#include "tools/weir/job_args.h"

/* 0, or the exit status of a summary that can't be written. */
static int write_summary(struct job_args *args, const struct run_summary *summary)
{
    job_args_say(args, WEIR_LOG_INFO,
                 "weir: %llu batches, %llu rows in, %llu rows out, %llu rejected, exit %d",
                 (unsigned long long)summary->batches, (unsigned long long)summary->rows_in,
                 (unsigned long long)summary->rows_out, (unsigned long long)summary->rows_rejected,
                 summary->exit_status);
    if (summary->rows_rejected && args->job->checkpoint)
        job_args_say(args, WEIR_LOG_INFO, "weir: the rejected rows that were kept: weir dlq show %s",
                     args->job->checkpoint);
    if (!args->summary) return 0;
    FILE *file = fopen(args->summary, "w");
    int failed = !file || fprintf(file, "%s\n", summary->json ? summary->json : "{}") < 0;
    if (file && fclose(file) != 0) failed = 1;
    if (failed)
        job_args_say(args, WEIR_LOG_ERROR, "weir: the summary can't be written to %s",
                     args->summary);
    return failed ? 73 : 0;
}

int command_run(int argc, char **argv)
{
    struct job_args args;
    int status = job_args_parse(&args, argc, argv);
    if (status == 0 && args.help) {
        job_args_usage(stdout, "run");
    } else if (status == 0 && (status = job_args_open(&args)) == 0) {
        struct run_summary summary = { 0 };
        status = run_job(args.sys, args.job, args.registry, args.journal, &args.options,
                         &args.report, &summary);
        job_args_report(&args);
        int written = write_summary(&args, &summary);
        if (status == 0) status = written;
        free(summary.json);
    }
    job_args_close(&args);
    return status;
}
