/*
 * plan.c - `weir plan`: how a job would run, and what its start would refuse.
 */
#include "tools/weir/commands.h"
#include "tools/weir/job_args.h"

static void to_stdout(void *arg, const char *line)
{
    (void)arg;
    printf("%s\n", line);
}

static void print(void *arg, const struct plan *plan)
{
    (void)arg;
    plan_print(plan, to_stdout, NULL);
}

int command_plan(int argc, char **argv)
{
    struct job_args args;
    int status = job_args_parse(&args, argc, argv);
    if (status == 0 && args.help) {
        job_args_usage(stdout, "plan");
    } else if (status == 0 && (status = job_args_open(&args)) == 0) {
        status = check_job(args.sys, args.job, args.registry, args.journal, &args.options,
                           &args.report, print, NULL);
        job_args_report(&args);
    }
    job_args_close(&args);
    return status;
}
