//! What of a forest is drawn: folded sub-trees, and replicas that need no look, stand as a number at the server above them.

use super::order::Keys;
use super::shape::{ExtraEdge, Forest, Node};
use super::tone::Tone;

/// Fewer calm replicas of one source are drawn: their number would take as much room.
const FEWEST_CALM: usize = 2;

/// What is left out of a picture.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Folding {
    /// Everything below these.
    pub closed: Keys,
    /// Those of these that have nothing below them, where their source has several such.
    pub calm: Keys,
    /// Drawn in any case, as is the way to them.
    pub wanted: Keys,
}

/// The forest without what is folded; each server that is left tells in `hidden` what is not drawn below it.
pub fn fold(forest: &Forest, folding: &Folding) -> Forest {
    let wanted = wanted(forest, &folding.wanted);
    // Where each stands among those that are drawn.
    let mut place: Vec<Option<usize>> = Vec::with_capacity(forest.nodes.len());
    let drawn = |place: &[Option<usize>], at: usize| place.get(at).copied().flatten();
    let mut out = Forest::default();
    for (at, node) in forest.nodes.iter().enumerate() {
        // Its parent comes before it; one that is not drawn takes it along.
        let parent = node
            .parent
            .map(|parent| drawn(&place, parent).filter(|_| !is_left_out(forest, folding, &wanted, parent, at)));
        if parent == Some(None) {
            place.push(None);
            continue;
        }
        let (parent, here) = (parent.flatten(), out.nodes.len());
        place.push(Some(here));
        match parent.and_then(|p| out.nodes.get_mut(p)) {
            Some(parent) => parent.children.push(here),
            None => out.roots.push(here),
        }
        out.nodes.push(Node { parent, children: Vec::new(), hidden: Vec::new(), ..node.clone() });
    }
    for (at, node) in forest.nodes.iter().enumerate().filter(|(at, _)| drawn(&place, *at).is_none()) {
        let above = ancestors(forest, at).find_map(|above| drawn(&place, above));
        if let Some(above) = above.and_then(|above| out.nodes.get_mut(above)) {
            above.hidden.push(node.key.clone());
        }
    }
    let edge = |e: &ExtraEdge| {
        Some(ExtraEdge { source: drawn(&place, e.source)?, replica: drawn(&place, e.replica)?, ring: e.ring })
    };
    out.extra = forest.extra.iter().filter_map(edge).collect();
    out
}

/// Which places lead to a wanted server or are one.
fn wanted(forest: &Forest, keys: &Keys) -> Vec<bool> {
    let mut wanted: Vec<bool> = forest.nodes.iter().map(|node| keys.contains(&node.key)).collect();
    for (at, node) in forest.nodes.iter().enumerate().rev() {
        if let (true, Some(parent)) = (wanted.get(at) == Some(&true), node.parent)
            && let Some(slot) = wanted.get_mut(parent)
        {
            *slot = true;
        }
    }
    wanted
}

fn is_left_out(forest: &Forest, folding: &Folding, wanted: &[bool], parent: usize, at: usize) -> bool {
    let Some(above) = forest.nodes.get(parent) else { return false };
    let is_wanted = |place: usize| wanted.get(place) == Some(&true);
    let leads_on = above.children.iter().any(|child| is_wanted(*child));
    if folding.closed.contains(&above.key) && !leads_on {
        return true;
    }
    let is_calm = |place: &usize| {
        let node = forest.nodes.get(*place);
        !is_wanted(*place) && node.is_some_and(|n| n.children.is_empty() && folding.calm.contains(&n.key))
    };
    is_calm(&at) && above.children.iter().filter(|child| is_calm(child)).count() >= FEWEST_CALM
}

fn ancestors(forest: &Forest, at: usize) -> impl Iterator<Item = usize> {
    std::iter::successors(forest.nodes.get(at).and_then(|n| n.parent), |at| {
        forest.nodes.get(*at).and_then(|n| n.parent)
    })
}

/// Every server below a root that others hang below: what "fold all" closes.
pub fn closable(forest: &Forest) -> Keys {
    let closable = forest.nodes.iter().filter(|node| node.parent.is_some() && !node.children.is_empty());
    closable.map(|node| node.key.clone()).collect()
}

/// What hides, in words: the worst state, a short text for the box, a long one to be read out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hidden {
    /// The worst state among them.
    pub tone: Tone,
    /// `37: 2 broken`.
    pub short: String,
    /// `37 servers are not drawn: 2 broken, 35 ok; data centres dc1 20, dc2 17`.
    pub long: String,
}

/// Sums up servers that are not drawn, each with its state and data centre; `None` when there are none.
pub fn hidden(servers: &[(Tone, String)]) -> Option<Hidden> {
    const LOUDEST_FIRST: [Tone; 6] =
        [Tone::Broken, Tone::Progress, Tone::Attention, Tone::Downtimed, Tone::Unknown, Tone::Ok];
    let count = servers.len();
    let mut tones: Vec<(Tone, String)> = Vec::new();
    for tone in LOUDEST_FIRST {
        let those = servers.iter().filter(|(known, _)| *known == tone).count();
        if those > 0 {
            tones.push((tone, format!("{those} {}", tone.word())));
        }
    }
    let tone = tones.first()?.0;
    let all: Vec<&str> = tones.iter().map(|(_, text)| text.as_str()).collect();
    let loud: Vec<&str> = tones.iter().filter(|(tone, _)| *tone != Tone::Ok).map(|(_, text)| text.as_str()).collect();
    let mut centres: Vec<(&str, usize)> = Vec::new();
    for (_, centre) in servers.iter().filter(|(_, centre)| !centre.is_empty()) {
        match centres.iter_mut().find(|(known, _)| known == centre) {
            Some((_, those)) => *those += 1,
            None => centres.push((centre, 1)),
        }
    }
    let short = match loud.is_empty() {
        true => format!("{count} ok"),
        false => format!("{count}: {}", loud.join(", ")),
    };
    let noun = if count == 1 { "server is" } else { "servers are" };
    let mut long = format!("{count} {noun} not drawn: {}", all.join(", "));
    if !centres.is_empty() {
        let centres: Vec<String> = centres.iter().map(|(name, those)| format!("{name} {those}")).collect();
        long = format!("{long}; data centres {}", centres.join(", "));
    }
    Some(Hidden { tone, short, long })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::InstanceKey;
    use crate::ui::model::shape::Row;

    fn key(n: usize) -> InstanceKey {
        InstanceKey::new(format!("db{n:03}"), 3306)
    }

    fn keys(numbers: &[usize]) -> Keys {
        numbers.iter().copied().map(key).collect()
    }

    fn forest(sources: &[Option<usize>]) -> Forest {
        let row = |(n, s): (usize, &Option<usize>)| Row { key: key(n), source: s.map(key), more_sources: Vec::new() };
        Forest::new(&sources.iter().enumerate().map(row).collect::<Vec<_>>(), None)
    }

    fn drawn(forest: &Forest) -> Vec<(String, usize)> {
        forest.nodes.iter().map(|n| (n.key.hostname.clone(), n.hidden.len())).collect()
    }

    fn named(expected: &[(&str, usize)]) -> Vec<(String, usize)> {
        expected.iter().map(|(name, hidden)| ((*name).to_owned(), *hidden)).collect()
    }

    // 0 above 1 (with 3 and 4, the latter above 5) and 2.
    const TREE: [Option<usize>; 6] = [None, Some(0), Some(0), Some(1), Some(1), Some(4)];

    #[test]
    fn a_folded_server_tells_how_many_are_below_it() {
        let folded = fold(&forest(&TREE), &Folding { closed: keys(&[1]), ..Folding::default() });
        assert_eq!(drawn(&folded), named(&[("db000", 0), ("db001", 3), ("db002", 0)]));
        assert_eq!(folded.nodes[0].children, [1, 2]);
    }

    #[test]
    fn what_is_wanted_opens_the_way_to_it() {
        let folding = Folding { closed: keys(&[1, 4]), wanted: keys(&[5]), ..Folding::default() };
        assert_eq!(fold(&forest(&TREE), &folding).nodes.len(), 6);
        let folding = Folding { closed: keys(&[1, 4]), wanted: keys(&[3]), ..Folding::default() };
        let folded = fold(&forest(&TREE), &folding);
        assert_eq!(folded.nodes.iter().map(|n| n.hidden.len()).sum::<usize>(), 1, "4 stays folded");
    }

    #[test]
    fn calm_replicas_are_left_out_where_there_are_several() {
        let forest = forest(&[None, Some(0), Some(0), Some(0), Some(1)]);
        let all = keys(&[0, 1, 2, 3, 4]);
        let folded = fold(&forest, &Folding { calm: all, ..Folding::default() });
        assert_eq!(drawn(&folded), named(&[("db000", 2), ("db001", 0), ("db004", 0)]), "one alone is drawn");
        let folded = fold(&forest, &Folding { calm: keys(&[2]), ..Folding::default() });
        assert_eq!(folded.nodes.len(), 5);
    }

    #[test]
    fn what_hides_is_summed_up_loudest_first() {
        assert_eq!(hidden(&[]), None);
        let of = |tone| (tone, "dc1".to_owned());
        let calm = hidden(&[of(Tone::Ok), of(Tone::Ok)]).expect("some");
        assert_eq!((calm.tone, calm.short.as_str()), (Tone::Ok, "2 ok"));
        let loud = hidden(&[of(Tone::Ok), of(Tone::Attention), of(Tone::Broken), (Tone::Broken, String::new())]);
        let loud = loud.expect("some");
        assert_eq!((loud.tone, loud.short.as_str()), (Tone::Broken, "4: 2 broken, 1 attention"));
        assert_eq!(loud.long, "4 servers are not drawn: 2 broken, 1 attention, 1 ok; data centres dc1 3");
    }

    proptest! {
        #[test]
        fn every_server_is_drawn_or_counted_once(
            sources in prop::collection::vec(prop::option::weighted(0.9, 0usize..10), 1..30),
            closed in prop::collection::btree_set(0usize..30, 0..8),
            calm in prop::collection::btree_set(0usize..30, 0..30),
            wanted in prop::collection::btree_set(0usize..30, 0..3),
        ) {
            let all = |set: &std::collections::BTreeSet<usize>| set.iter().copied().map(key).collect::<Keys>();
            let forest = forest(&sources);
            let folding = Folding { closed: all(&closed), calm: all(&calm), wanted: all(&wanted) };
            let folded = fold(&forest, &folding);
            let mut told: Vec<InstanceKey> = folded.nodes.iter().map(|n| n.key.clone()).collect();
            for wanted in folding.wanted.as_slice().iter().filter(|k| forest.find(k).is_some()) {
                prop_assert!(told.contains(wanted));
            }
            told.extend(folded.nodes.iter().flat_map(|n| n.hidden.iter().cloned()));
            told.sort();
            let mut expected: Vec<InstanceKey> = forest.nodes.iter().map(|n| n.key.clone()).collect();
            expected.sort();
            prop_assert_eq!(told, expected);
            for (at, node) in folded.nodes.iter().enumerate() {
                prop_assert!(node.parent.is_none_or(|p| p < at && folded.nodes[p].children.contains(&at)));
            }
            prop_assert_eq!(folded.roots.len(), forest.roots.len());
        }

        #[test]
        fn nothing_folded_changes_nothing(sources in prop::collection::vec(prop::option::of(0usize..10), 0..20)) {
            let forest = forest(&sources);
            prop_assert_eq!(fold(&forest, &Folding::default()), forest);
        }
    }
}
