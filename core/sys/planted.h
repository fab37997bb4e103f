/*
 * planted.h - bugs planted on purpose, to prove that the crash sweeps would find such a bug.
 *
 * In a build without WEIR_PLANTED_BUGS `planted` is the constant 0 and nothing is left of it. In a test
 * build the test defines `weir_planted_bug` and sets it to one of these numbers (0: no bug).
 */
#ifndef WEIR_CORE_PLANTED_H
#define WEIR_CORE_PLANTED_H

enum planted_bug {
    PLANTED_NONE = 0,

    PLANTED_LOG_SEGMENT_SYNC = 1,  /* a segment is not synced */
    PLANTED_LOG_EXTENT_SYNC = 2,   /* extent files are not synced */
    PLANTED_LOG_EXTENT_ORDER = 3,  /* the record is written before its extents are synced */
    PLANTED_LOG_SEGMENT_DIR = 4,   /* the directory is not synced after a new segment */
    PLANTED_LOG_EXTENT_DIR = 5,    /* nor after a new extent file */
    PLANTED_LOG_NO_CUT = 6,        /* a torn tail stays, records are appended behind it */
    PLANTED_LOG_CUT_SYNC = 7,      /* the tail found at a start is used without a sync */
    PLANTED_LOG_NO_FENCE = 8,      /* the fence is not looked at */
    PLANTED_LOG_NO_CRC = 9,        /* checksums are not looked at */
    PLANTED_LOG_UNLINK_EARLY = 10, /* files go before the pointer to the first one is durable */
    PLANTED_LOG_DURABLE_HIGH = 11, /* records name as durable what their own sync will write */
    PLANTED_LOG_IDENTITY = 12,     /* weir.json is renamed before it is synced */

    PLANTED_RUN_PLAN_UNSYNCED = 20,   /* sinks run before PLAN is durable */
    PLANTED_RUN_SPOOL_SKIPPED = 21,   /* the input of a spooled batch is not written */
    PLANTED_RUN_UNTIL_SHORT = 22,     /* PLAN names where a partition was, not where it got */
    PLANTED_RUN_FORGET_EARLY = 23,    /* sources are told to forget before STATE */
    PLANTED_RUN_COMMIT_EARLY = 24,    /* sinks commit before STATE */
    PLANTED_RUN_STATE_UNSYNCED = 25,  /* sinks commit before STATE is durable */
    PLANTED_RUN_GROUP_LOST = 26,      /* STATE lacks what changed in one group */
    PLANTED_RUN_COMMITTABLE_LOST = 27, /* STATE lacks the committables */
    PLANTED_RUN_MAP_STALE = 28,       /* the map of positions is not brought up to date */
    PLANTED_RUN_BASE_NEWER = 29,      /* a delta counts as a base: the log is cut too early */
    PLANTED_RUN_DONE_EARLY = 30,      /* DONE is durable before the commit */
    PLANTED_RUN_NO_RECOMMIT = 31,     /* a restart does not commit what STATE holds */
    PLANTED_RUN_PENDING_SKIPPED = 32, /* a restart does not run the planned batch again */
    PLANTED_RUN_REPLAY_NOW = 33,      /* a batch that runs again gets another T */
    PLANTED_RUN_T_LOST = 34,          /* T is not restored */
    PLANTED_RUN_OUTPUT_EARLY = 35,    /* rows that differ in a replay are delivered before STATE */
    PLANTED_RUN_OUTPUT_LOST = 36,     /* a restart does not deliver what the output spool holds */

    PLANTED_STATE_REMOVED = 40, /* removed slots stay in the log */
    PLANTED_STATE_CHANGED = 41, /* changed slots are not captured */

    PLANTED_LAST
};

#ifdef WEIR_PLANTED_BUGS
extern unsigned long weir_planted_bug;
#define planted(bug) (weir_planted_bug == (unsigned long)(bug))
#else
#define planted(bug) 0
#endif

#endif
