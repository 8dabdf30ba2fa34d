//! Hooks: section 7.12 of the configuration.

use crate::config::hook_list::HookItems;
use crate::config::table::section;

section! {
    /// Commands and addresses that run around detections, recoveries and takeovers (spec 7.12 and 8).
    HooksConfig, "Hooks" {
        /// Program that runs a hook script file, one executable name or path, no arguments.
        "ProcessesShellCommand" => shell_command: String = "bash".to_owned(), Live, InEffect;
        /// On a new detection, before any decision to recover.
        "OnFailureDetectionProcesses" => on_failure_detection: HookItems = HookItems::none(), Live, InEffect;
        /// Planned takeover, before the old primary is made read-only.
        "PreGracefulTakeoverProcesses" => pre_graceful_takeover: HookItems = HookItems::none(), Live, InEffect;
        /// Immediately before a recovery acts.
        "PreFailoverProcesses" => pre_failover: HookItems = HookItems::none(), Live, InEffect;
        /// After a successful recovery of a primary or co-primary.
        "PostMasterFailoverProcesses" => post_primary_failover: HookItems = HookItems::none(), Live, InEffect;
        /// After a successful recovery of an intermediate source or group member.
        "PostIntermediateMasterFailoverProcesses" => post_intermediate_source_failover: HookItems = HookItems::none(), Live, InEffect;
        /// After any successful recovery, following the specific list.
        "PostFailoverProcesses" => post_failover: HookItems = HookItems::none(), Live, InEffect;
        /// After a recovery that ended without successor.
        "PostUnsuccessfulFailoverProcesses" => post_unsuccessful_failover: HookItems = HookItems::none(), Live, InEffect;
        /// Planned takeover, after the old primary has been repointed.
        "PostGracefulTakeoverProcesses" => post_graceful_takeover: HookItems = HookItems::none(), Live, InEffect;
        /// After a replica has changed places with its source, by command or API (`take-master`).
        "PostTakeMasterProcesses" => post_take_primary: HookItems = HookItems::none(), Live, InEffect;
    }
}
