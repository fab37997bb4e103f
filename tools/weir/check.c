/*
 * check.c - `weir check`: the start path minus its side effects.
 */
#include "tools/weir/commands.h"
#include "tools/weir/job_args.h"

int command_check(int argc, char **argv)
{
    struct job_args args;
    int status = job_args_parse(&args, argc, argv);
    if (status == 0 && args.help) {
        job_args_usage(stdout, "check");
    } else if (status == 0 && (status = job_args_open(&args)) == 0) {
        status = check_job(args.sys, args.job, args.registry, args.journal, &args.options,
                           &args.report, NULL, NULL);
        job_args_report(&args);
        if (status == 0)
            job_args_say(&args, WEIR_LOG_INFO, "%s: the job \"%s\" is good", args.job->file,
                         args.job->name);
    }
    job_args_close(&args);
    return status;
}
