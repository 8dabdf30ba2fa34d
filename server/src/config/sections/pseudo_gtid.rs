//! Pseudo-GTID: section 7.8 of the configuration.

use crate::config::table::section;

section! {
    /// Matching of binary logs by injected entries, for servers without GTID (spec 7.8).
    PseudoGtidConfig, "Pseudo-GTID" {
        /// Inject Pseudo-GTID entries on all writable primaries. Sets the next four variables by itself.
        "AutoPseudoGTID" => auto: bool = false, Live, InEffect;
        /// Text or regexp that identifies an entry. Empty disables all Pseudo-GTID operations.
        "PseudoGTIDPattern" => pattern: String = String::new(), Live, InEffect;
        /// The pattern is a plain substring (faster).
        "PseudoGTIDPatternIsFixedSubstring" => pattern_is_fixed_substring: bool = false, Live, InEffect;
        /// Substring which, when present in an entry, tells that entries grow monotonically (enables early
        /// stop).
        "PseudoGTIDMonotonicHint" => monotonic_hint: String = String::new(), Live, InEffect;
        /// Server has Pseudo-GTID when this returns `1` in its first cell. Not used with `AutoPseudoGTID` (a
        /// recent injection decides).
        "DetectPseudoGTIDQuery" => detect_query: String = String::new(), Live, InEffect;
        /// Events read per SHOW BINLOG/RELAYLOG EVENTS.
        "BinlogEventsChunkSize" => binlog_events_chunk_size: i64 = 10000, Live, InEffect;
        /// Plain substrings; events containing one are skipped while matching.
        "SkipBinlogEventsContaining" => skip_binlog_events_containing: Vec<String> = Vec::new(), Live, InEffect;
    }
}
