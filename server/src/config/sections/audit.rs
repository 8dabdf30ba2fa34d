//! Audit: section 7.18 of the configuration.

use crate::config::table::section;

section! {
    /// Where a trace of each change goes and how long it is kept (spec 7.18).
    AuditConfig, "Audit" {
        /// File that audit lines are appended to, TAB separated; without it and `AuditToSyslog` they go to the log. Empty = off.
        "AuditLogFile" => log_file: String = String::new(), Live, InEffect;
        /// Send audit entries to syslog, tag `orchestrator`.
        "AuditToSyslog" => to_syslog: bool = false, Live, InEffect;
        /// Write audit entries to the backend table `audit`, which the audit page and API show. They are unless a file
        /// says `false`: then they are in file, syslog or log only, and page and API show nothing new.
        "AuditToBackendDB" => to_backend_db: bool = false, Live, InEffect;
        /// Days to keep rows of `audit`, failure detections, recoveries and recovery steps.
        "AuditPurgeDays" => purge_days: u64 = 7, Live, InEffect;
    }
}
