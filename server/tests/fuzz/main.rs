//! Every parser against texts that are nearly right: none panics, and what is read can be written and read again.
//!
//! A seeded mutator over a corpus (`corpus/*.txt`, entries separated by lines of `%%`), on stable and without tools of its own.
//! By default a fixed number of cases with a fixed seed, so that a failure is the same everywhere;
//! `FUZZ_CASES=1000000 FUZZ_SEED=7 cargo nextest run -p orchestrator --test fuzz` goes further. A text that broke something goes into
//! the corpus: all of it is tried as it stands first.
#![allow(clippy::expect_used, clippy::unwrap_used)]
#![allow(clippy::disallowed_methods, reason = "how many cases is nothing that a configuration says")]

mod mutator;
mod names;
mod replication;
mod service;

/// One test for each parser: name of the corpus file, the law that holds for every text, and how many cases are a fair share.
macro_rules! targets {
    ($($name:ident: $cases:literal, $law:path;)+) => {$(
        #[test]
        fn $name() {
            let corpus = include_str!(concat!("corpus/", stringify!($name), ".txt"));
            $crate::mutator::run(stringify!($name), corpus, $cases, $law);
        }
    )+};
}

targets! {
    instance_keys: 20_000, names::instance_key;
    binlog_coordinates: 20_000, replication::binlog_coordinates;
    gtid_sets_mysql: 10_000, replication::gtid_set_mysql;
    gtid_positions_mariadb: 10_000, replication::gtid_position_mariadb;
    status_rows: 2_000, replication::status_rows;
    tag_expressions: 10_000, names::tag_expression;
    cluster_hints: 5_000, names::cluster_hint;
    durations: 20_000, names::duration;
    url_paths: 10_000, names::url_path;
    configuration: 800, service::configuration;
    hook_placeholders: 5_000, service::hook_placeholders;
    operations: 5_000, service::operation;
}
