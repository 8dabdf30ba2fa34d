//! Queries that the configuration asks servers (`spec/discovery.md` 12, 13, 15).

use std::collections::BTreeMap;

use app::topology::PromotionRule;
use engine::interpret::{Classification, Record};

use super::error::MysqlError;
use super::session::Answer;

/// The configured queries; an empty text is none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UserQueries {
    /// `ReplicationLagQuery`, asked at every poll.
    pub lag: String,
    /// `DetectDataCenterQuery`.
    pub data_center: String,
    /// `DetectRegionQuery`.
    pub region: String,
    /// `DetectPhysicalEnvironmentQuery`.
    pub environment: String,
    /// `DetectInstanceAliasQuery`.
    pub alias: String,
    /// `DetectSemiSyncEnforcedQuery`.
    pub semi_sync_priority: String,
    /// `DetectClusterAliasQuery`.
    pub cluster_alias: String,
    /// `DetectClusterDomainQuery`, asked of servers without a source only.
    pub cluster_domain: String,
    /// `DetectPromotionRuleQuery`.
    pub promotion_rule: String,
    /// `DetectPseudoGTIDQuery`.
    pub pseudo_gtid: String,
    /// `ReplicationCredentialsQuery` is set: credentials can be read wherever it is answered.
    pub credentials_are_queried: bool,
}

/// Which query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Lag,
    DataCenter,
    Region,
    Environment,
    Alias,
    SemiSyncPriority,
    ClusterAlias,
    ClusterDomain,
    PromotionRule,
    PseudoGtid,
}

impl Kind {
    /// The setting that holds it.
    fn setting(self) -> &'static str {
        match self {
            Self::Lag => "ReplicationLagQuery",
            Self::DataCenter => "DetectDataCenterQuery",
            Self::Region => "DetectRegionQuery",
            Self::Environment => "DetectPhysicalEnvironmentQuery",
            Self::Alias => "DetectInstanceAliasQuery",
            Self::SemiSyncPriority => "DetectSemiSyncEnforcedQuery",
            Self::ClusterAlias => "DetectClusterAliasQuery",
            Self::ClusterDomain => "DetectClusterDomainQuery",
            Self::PromotionRule => "DetectPromotionRuleQuery",
            Self::PseudoGtid => "DetectPseudoGTIDQuery",
        }
    }
}

/// A query that is due.
#[derive(Debug, Clone)]
pub(super) struct Due {
    kind: Kind,
    pub(super) text: String,
}

impl Due {
    /// Several statements in one text: their answers could not be told apart in a batch.
    pub(super) fn stands_alone(&self) -> bool {
        self.text.contains(';')
    }
}

impl UserQueries {
    /// The queries to ask now: the lag always, the others when `slowly` says so.
    pub(super) fn due(&self, slowly: bool, depth: u32) -> Vec<Due> {
        let slow = [
            (Kind::DataCenter, &self.data_center),
            (Kind::Region, &self.region),
            (Kind::Environment, &self.environment),
            (Kind::Alias, &self.alias),
            (Kind::SemiSyncPriority, &self.semi_sync_priority),
            (Kind::ClusterAlias, &self.cluster_alias),
            (Kind::ClusterDomain, &self.cluster_domain),
            (Kind::PromotionRule, &self.promotion_rule),
            (Kind::PseudoGtid, &self.pseudo_gtid),
        ];
        std::iter::once((Kind::Lag, &self.lag))
            .chain(slow.into_iter().filter(|(kind, _)| slowly && (*kind != Kind::ClusterDomain || depth == 0)))
            .map(|(kind, text)| Due { kind, text: text.trim().trim_end_matches(';').trim_end().to_owned() })
            .filter(|due| !due.text.is_empty())
            .collect()
    }
}

/// What was answered.
#[derive(Debug, Default)]
pub(super) struct Answers {
    pub(super) lag: Option<Option<i64>>,
    pub(super) classification: Classification,
    pub(super) promotion_rule: Option<PromotionRule>,
    pub(super) cluster_domain: Option<String>,
    /// The server fell silent over them.
    pub(super) silence: Option<MysqlError>,
}

impl Answers {
    /// Sorts answers to their queries. A query that fails is told of in `refused` and leaves what is known.
    pub(super) fn collect(queries: &[Due], replies: Vec<Answer>, refused: &mut BTreeMap<&'static str, String>) -> Self {
        let mut answers = Self::default();
        for (query, reply) in queries.iter().zip(replies) {
            let kind = query.kind;
            let rows = match reply {
                Ok(rows) => rows,
                Err(error) if error.is_silence() => {
                    answers.silence = Some(error);
                    break;
                }
                Err(error) => {
                    refused.insert(kind.setting(), error.to_string());
                    continue;
                }
            };
            let Some(row) = rows.first() else {
                refused.insert(kind.setting(), "the query returned no row".to_owned());
                continue;
            };
            if let Err(reason) = answers.set(kind, row) {
                refused.insert(kind.setting(), reason);
            }
        }
        answers
    }

    fn set(&mut self, kind: Kind, row: &Record) -> Result<(), String> {
        let Some(text) = row.scalar() else {
            if kind == Kind::Lag {
                self.lag = Some(None);
                return Ok(());
            }
            return Err("the query returned NULL".to_owned());
        };
        let owned = Some(text.to_owned());
        match kind {
            Kind::Lag => self.lag = Some(Some(seconds(text)?)),
            Kind::DataCenter => self.classification.data_center = owned,
            Kind::Region => self.classification.region = owned,
            Kind::Environment => self.classification.environment = owned,
            Kind::Alias => self.classification.alias = owned,
            Kind::ClusterAlias => self.classification.cluster_alias = owned,
            Kind::ClusterDomain => self.cluster_domain = owned.filter(|domain| !domain.is_empty()),
            Kind::PseudoGtid => self.classification.pseudo_gtid = Some(text == "1"),
            Kind::SemiSyncPriority => {
                let number = text.trim().parse().map_err(|_| format!("expected a number, got {text:?}"))?;
                self.classification.semi_sync_priority = Some(number);
            }
            Kind::PromotionRule => {
                let rule: PromotionRule = text.trim().parse().map_err(|e| format!("{e}"))?;
                self.promotion_rule = Some(rule);
            }
        }
        Ok(())
    }
}

/// Whole seconds; heartbeat tables give fractions. Never negative: clocks differ.
fn seconds(text: &str) -> Result<i64, String> {
    let number: f64 = text.trim().parse().map_err(|_| format!("expected seconds, got {text:?}"))?;
    if !number.is_finite() {
        return Err(format!("expected seconds, got {text:?}"));
    }
    // The cast saturates.
    Ok(number.max(0.0) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(value: Option<&str>) -> Answer {
        Ok(vec![Record::new([("x".to_owned(), value.map(str::to_owned))])])
    }

    #[test]
    fn the_lag_is_asked_always_and_the_domain_at_the_top_only() {
        let queries = UserQueries {
            lag: "select 1;".to_owned(),
            cluster_domain: "select 'd'".to_owned(),
            region: " ".to_owned(),
            ..Default::default()
        };
        let texts = |slowly, depth| queries.due(slowly, depth).into_iter().map(|d| d.text).collect::<Vec<_>>();
        assert_eq!(texts(false, 0), ["select 1"]);
        assert_eq!(texts(true, 0), ["select 1", "select 'd'"]);
        assert_eq!(texts(true, 1), ["select 1"]);
    }

    #[test]
    fn a_query_that_fails_is_told_of_and_the_others_count() {
        let queries = UserQueries {
            lag: "a".to_owned(),
            region: "b".to_owned(),
            semi_sync_priority: "c".to_owned(),
            promotion_rule: "d".to_owned(),
            ..Default::default()
        };
        let denied = MysqlError::Server { code: 1142, state: "42000".to_owned(), message: "no".to_owned() };
        let mut refused = BTreeMap::new();
        let replies = vec![one(Some("3.7")), Err(denied), one(Some("many")), one(Some("prefer"))];
        let answers = Answers::collect(&queries.due(true, 0), replies, &mut refused);
        assert_eq!(answers.lag, Some(Some(3)));
        assert_eq!(answers.promotion_rule, Some(PromotionRule::Prefer));
        assert_eq!(answers.classification, Classification::default());
        assert_eq!(refused.keys().collect::<Vec<_>>(), [&"DetectRegionQuery", &"DetectSemiSyncEnforcedQuery"]);
    }

    #[test]
    fn a_lag_may_be_unknown_and_is_never_negative() {
        let queries = UserQueries { lag: "a".to_owned(), ..Default::default() };
        for (value, lag) in [(None, Some(None)), (Some("-2"), Some(Some(0))), (Some("x"), None)] {
            let answers = Answers::collect(&queries.due(false, 0), vec![one(value)], &mut BTreeMap::new());
            assert_eq!(answers.lag, lag, "{value:?}");
        }
    }
}
