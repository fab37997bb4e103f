/*
 * plan.c - `weir plan`: how a job would run.
 */
#include "tools/weir/commands.h"
#include "tools/weir/job_args.h"

static void to_stdout(void *arg, const char *line)
{
    (void)arg;
    printf("%s\n", line);
}

int command_plan(int argc, char **argv)
{
    struct job_args args;
    int status = job_args_parse(&args, argc, argv);
    if (status == 0 && args.help) {
        job_args_usage(stdout, "plan");
    } else if (status == 0 && (status = job_args_open(&args)) == 0) {
        struct plan *plan = plan_create(args.job, args.registry, args.sys, args.journal, 0,
                                        PLAN_CHECK, &args.report);
        if (job_args_report(&args) || !plan)
            status = EXIT_BAD_JOB;
        else
            plan_print(plan, to_stdout, NULL);
        plan_destroy(plan);
    }
    job_args_close(&args);
    return status;
}
