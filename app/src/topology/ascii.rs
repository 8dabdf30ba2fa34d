//! The tree of a cluster as text: `topology`, `topology-tabulated` and `topology-tags` (`spec/api.md` 4, `spec/cli.md` 10.11).
//!
//! To the byte as existing scripts parse it, except in one case: of several servers without a parent in the
//! cluster the original prints the last one only, which lets a detached replica hide the tree of the source. Here all of them are
//! printed, the one that the cluster is named after first.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::graph::{is_group_secondary, parent_key};
use super::status::{StatusThresholds, description_tokens, is_check_valid, is_recently_checked};
use super::{Annotations, Instance};
use crate::InstanceKey;

/// Which of the three texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TopologyStyle {
    /// `topology`.
    Plain,
    /// `topology-tabulated`.
    Tabulated,
    /// `topology-tags`.
    Tags,
}

/// Draws the servers of one cluster, given in key order. Lines are joined by a line end, without one at
/// the end; empty when there is nothing to draw from.
pub fn draw_topology<'a>(
    instances: impl IntoIterator<Item = &'a Arc<Instance>>,
    annotations: &Annotations,
    style: TopologyStyle,
    thresholds: &StatusThresholds,
    now: DateTime<Utc>,
) -> String {
    let members: Vec<&Instance> = instances.into_iter().map(Arc::as_ref).collect();
    let lines: Vec<Line> = Tree::new(&members)
        .walk()
        .into_iter()
        .map(|(instance, depth)| Line {
            instance,
            head: head(instance, depth, thresholds, now),
            tokens: description_tokens(instance, annotations, thresholds, now),
        })
        .collect();
    match style {
        TopologyStyle::Plain => plain(&lines).join("\n"),
        TopologyStyle::Tabulated => tabulated(&lines),
        TopologyStyle::Tags => {
            let tagged = plain(&lines)
                .into_iter()
                .zip(&lines)
                .map(|(text, line)| format!("{text} [{}]", tags(&line.instance.key, annotations)));
            tagged.collect::<Vec<_>>().join("\n")
        }
    }
}

/// Draws who was below whom and nothing else: a stored topology has keys and sources only.
pub fn draw_keys<'a>(
    instances: impl IntoIterator<Item = &'a Arc<Instance>>,
    thresholds: &StatusThresholds,
    now: DateTime<Utc>,
) -> String {
    let members: Vec<&Instance> = instances.into_iter().map(Arc::as_ref).collect();
    let lines = Tree::new(&members).walk().into_iter().map(|(instance, depth)| head(instance, depth, thresholds, now));
    lines.collect::<Vec<_>>().join("\n")
}

/// One server's line, in parts.
struct Line<'a> {
    instance: &'a Instance,
    head: String,
    tokens: [String; 6],
}

/// Who hangs below whom, within the cluster.
struct Tree<'a> {
    members: &'a [&'a Instance],
    children: Vec<Vec<usize>>,
    roots: Vec<usize>,
}

impl<'a> Tree<'a> {
    fn new(members: &'a [&'a Instance]) -> Self {
        let mut children = vec![Vec::new(); members.len()];
        let mut roots = Vec::new();
        for (at, member) in members.iter().enumerate() {
            let parent = members.binary_search_by(|other| other.key.cmp(parent_key(member))).ok();
            match parent.and_then(|parent| children.get_mut(parent)) {
                Some(list) => list.push(at),
                None => roots.push(at),
            }
        }
        // The server that the cluster is named after comes first; the others keep their order.
        roots.sort_by_key(|at| members.get(*at).is_none_or(|m| m.key.to_string() != m.cluster_name));
        Self { members, children, roots }
    }

    /// Servers with their depth, in the order they are printed in. Without a root: each co-source with what is below it, at depth 1.
    fn walk(&self) -> Vec<(&'a Instance, usize)> {
        let mut printed = Vec::new();
        if self.roots.is_empty() {
            let co_sources = self.members.iter().enumerate().filter(|(_, member)| member.is_co_source);
            co_sources.for_each(|(at, _)| self.descend(at, 1, &mut printed));
        } else {
            self.roots.iter().for_each(|at| self.descend(*at, 0, &mut printed));
        }
        printed
    }

    /// Depth first, without recursion: a chain of replicas may be long, and rows of a backend may say anything.
    fn descend(&self, start: usize, depth: usize, printed: &mut Vec<(&'a Instance, usize)>) {
        let mut open = vec![(start, depth)];
        let mut on_the_way = vec![false; self.members.len()];
        while let Some((at, depth)) = open.pop() {
            let Some(member) = self.members.get(at) else { continue };
            // A ring is not gone around; one whose servers are not flagged as co-sources yet neither.
            if (member.is_co_source && depth > 1) || on_the_way.get(at) == Some(&true) {
                continue;
            }
            if let Some(mark) = on_the_way.get_mut(at) {
                *mark = true;
            }
            printed.push((member, depth));
            let below = self.children.get(at).map(Vec::as_slice).unwrap_or_default();
            open.extend(below.iter().rev().map(|child| (*child, depth + 1)));
        }
    }
}

/// Indentation, marker, key and alias.
fn head(instance: &Instance, depth: usize, thresholds: &StatusThresholds, now: DateTime<Utc>) -> String {
    let mut text = String::new();
    if let Some(levels) = depth.checked_sub(1) {
        let fine = instance.replication.is_running()
            && is_check_valid(&instance.check, thresholds, now)
            && is_recently_checked(instance, thresholds, now);
        let marker = if is_group_secondary(instance) {
            '‡'
        } else if fine {
            '+'
        } else {
            '-'
        };
        text = format!("{}{marker} ", "  ".repeat(levels));
    }
    text.push_str(&instance.key.to_string());
    if !instance.alias.is_empty() {
        text.push_str(&format!(" ({})", instance.alias));
    }
    text
}

/// Head and bracketed tokens, the first `[` of every line at the same byte.
fn plain(lines: &[Line]) -> Vec<String> {
    let texts: Vec<String> = lines
        .iter()
        .map(|line| {
            let tokens: Vec<&str> = line.tokens.iter().map(String::as_str).filter(|token| !token.is_empty()).collect();
            format!("{} [{}]", line.head, tokens.join(","))
        })
        .collect();
    let offset = |text: &String| text.find('[').unwrap_or(0);
    let target = texts.iter().map(offset).max().unwrap_or(0);
    texts
        .iter()
        .map(|text| {
            let (before, after) = text.split_at_checked(offset(text)).unwrap_or(("", text));
            format!("{before}{}{after}", " ".repeat(target.saturating_sub(before.len())))
        })
        .collect()
}

/// Seven columns, separated by `|`. A column is as wide as its widest cell has bytes, while cells are padded by
/// characters: that is what scripts are used to.
fn tabulated(lines: &[Line]) -> String {
    let rows: Vec<Vec<&str>> = lines
        .iter()
        .map(|line| std::iter::once(line.head.as_str()).chain(line.tokens.iter().map(String::as_str)).collect())
        .collect();
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.len()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..7).map(width).collect();
    let texts: Vec<String> = rows
        .iter()
        .map(|row| {
            let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, width))| {
                let width = *width;
                if column == 1 { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
            });
            cells.collect::<Vec<_>>().join("|")
        })
        .collect();
    texts.join("\n")
}

/// `name` or `name=value`, by name.
fn tags(key: &InstanceKey, annotations: &Annotations) -> String {
    let Some(tags) = annotations.tags.get(key) else { return String::new() };
    let texts =
        tags.iter().map(|(name, value)| if value.is_empty() { name.clone() } else { format!("{name}={value}") });
    texts.collect::<Vec<_>>().join(",")
}
