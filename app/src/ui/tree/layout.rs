//! Places the boxes of a forest: Reingold and Tilford's tidy tree, for boxes of any breadth.
//!
//! Levels are stacked along one axis, siblings along the other; contours of neighbouring sub-trees are pushed apart until
//! they keep a gap, and a parent stands over the middle of its children. Pure and deterministic.

/// A box: `breadth` along the siblings' axis, and the places of its children.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// Size along the axis on which siblings stand side by side.
    pub breadth: f64,
    /// Places of the children, each larger than the own place.
    pub children: Vec<usize>,
}

/// Distances.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gaps {
    /// Between siblings, and between other neighbours of a level.
    pub sibling: f64,
    /// Between neighbouring trees of the forest.
    pub tree: f64,
}

/// The part of a sub-tree's outline on one level, relative to its root's centre.
#[derive(Debug, Clone, Copy)]
struct Extent {
    low: f64,
    high: f64,
}

/// Centres of the boxes along the siblings' axis; the outermost box begins at 0.
///
/// Children must come after their parents in `items`; places out of range are left out.
pub fn centres(items: &[Item], roots: &[usize], gaps: Gaps) -> Vec<f64> {
    let mut contours: Vec<Vec<Extent>> = vec![Vec::new(); items.len()];
    let mut offsets = vec![0.0; items.len()];
    for (at, item) in items.iter().enumerate().rev() {
        let half = item.breadth / 2.0;
        let children: Vec<usize> = item.children.iter().copied().filter(|c| *c > at && *c < items.len()).collect();
        let below = side_by_side(&children, &contours, &mut offsets, gaps.sibling);
        let middle = match (children.first(), children.last()) {
            (Some(first), Some(last)) => (value(&offsets, *first) + value(&offsets, *last)) / 2.0,
            _ => 0.0,
        };
        for child in &children {
            if let Some(offset) = offsets.get_mut(*child) {
                *offset -= middle;
            }
        }
        let mut contour = vec![Extent { low: -half, high: half }];
        contour.extend(below.into_iter().map(|e| Extent { low: e.low - middle, high: e.high - middle }));
        // A contour is merged into its parent's and not needed afterwards.
        for child in &children {
            if let Some(used) = contours.get_mut(*child) {
                used.clear();
            }
        }
        if let Some(slot) = contours.get_mut(at) {
            *slot = contour;
        }
    }
    let forest = side_by_side_apart(roots, &contours, &mut offsets, gaps.tree);
    let mut centres = offsets;
    let low = forest.iter().map(|e| e.low).fold(f64::INFINITY, f64::min);
    for root in roots {
        if let Some(centre) = centres.get_mut(*root) {
            *centre -= if low.is_finite() { low } else { 0.0 };
        }
    }
    for (at, item) in items.iter().enumerate() {
        let own = value(&centres, at);
        for child in item.children.iter().filter(|c| **c > at) {
            if let Some(centre) = centres.get_mut(*child) {
                *centre += own;
            }
        }
    }
    centres
}

fn value(values: &[f64], at: usize) -> f64 {
    values.get(at).copied().unwrap_or_default()
}

/// Puts sub-trees side by side, each as near to those before it as their outlines allow; writes the offsets of their
/// roots and returns the outline of all of them.
fn side_by_side(trees: &[usize], contours: &[Vec<Extent>], offsets: &mut [f64], gap: f64) -> Vec<Extent> {
    let mut outline: Vec<Extent> = Vec::new();
    for tree in trees {
        let Some(contour) = contours.get(*tree) else { continue };
        let pushes = outline.iter().zip(contour).map(|(left, right)| left.high + gap - right.low);
        let offset = pushes.fold(f64::NEG_INFINITY, f64::max);
        place(*tree, if offset.is_finite() { offset } else { 0.0 }, contour, &mut outline, offsets);
    }
    outline
}

/// The same for whole trees, which do not slide below one another: a lost replica stands beside the tree, not in its lap.
fn side_by_side_apart(trees: &[usize], contours: &[Vec<Extent>], offsets: &mut [f64], gap: f64) -> Vec<Extent> {
    let mut outline: Vec<Extent> = Vec::new();
    let mut edge = f64::NEG_INFINITY;
    for tree in trees {
        let Some(contour) = contours.get(*tree) else { continue };
        let low = contour.iter().map(|e| e.low).fold(f64::INFINITY, f64::min);
        let high = contour.iter().map(|e| e.high).fold(f64::NEG_INFINITY, f64::max);
        let offset = if edge.is_finite() { edge + gap - low } else { 0.0 };
        edge = offset + high;
        place(*tree, offset, contour, &mut outline, offsets);
    }
    outline
}

fn place(tree: usize, offset: f64, contour: &[Extent], outline: &mut Vec<Extent>, offsets: &mut [f64]) {
    if let Some(slot) = offsets.get_mut(tree) {
        *slot = offset;
    }
    for (level, extent) in contour.iter().enumerate() {
        let moved = Extent { low: extent.low + offset, high: extent.high + offset };
        match outline.get_mut(level) {
            Some(known) => *known = Extent { low: known.low.min(moved.low), high: known.high.max(moved.high) },
            None => outline.push(moved),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GAPS: Gaps = Gaps { sibling: 20.0, tree: 50.0 };

    fn item(breadth: f64, children: &[usize]) -> Item {
        Item { breadth, children: children.to_vec() }
    }

    #[test]
    fn a_parent_stands_over_the_middle_of_its_children() {
        let items = [item(100.0, &[1, 2, 3]), item(100.0, &[]), item(100.0, &[]), item(100.0, &[])];
        assert_eq!(centres(&items, &[0], GAPS), [170.0, 50.0, 170.0, 290.0]);
    }

    #[test]
    fn trees_stand_apart_and_the_first_box_begins_at_zero() {
        let items = [item(100.0, &[1]), item(200.0, &[]), item(100.0, &[])];
        assert_eq!(centres(&items, &[0, 2], GAPS), [100.0, 100.0, 300.0]);
    }

    #[test]
    fn nothing_and_nonsense_are_laid_out_without_harm() {
        assert!(centres(&[], &[], GAPS).is_empty());
        assert_eq!(centres(&[item(10.0, &[0, 9])], &[0, 5], GAPS), [5.0]);
    }

    /// A forest with these breadths; each item's parent is an earlier one or none.
    fn forest() -> impl Strategy<Value = (Vec<Item>, Vec<usize>)> {
        prop::collection::vec((20.0..300.0f64, any::<prop::sample::Index>(), prop::bool::weighted(0.9)), 1..40)
            .prop_map(|rows| {
                let mut items: Vec<Item> = rows.iter().map(|(breadth, ..)| item(*breadth, &[])).collect();
                let mut roots = Vec::new();
                for (at, (_, parent, has_parent)) in rows.iter().enumerate() {
                    if at == 0 || !has_parent {
                        roots.push(at);
                    } else {
                        items[parent.index(at)].children.push(at);
                    }
                }
                (items, roots)
            })
    }

    fn depths(items: &[Item]) -> Vec<usize> {
        let mut depths = vec![0; items.len()];
        for (at, item) in items.iter().enumerate() {
            for child in &item.children {
                depths[*child] = depths[at] + 1;
            }
        }
        depths
    }

    proptest! {
        #[test]
        fn no_two_boxes_of_a_level_come_nearer_than_the_gap((items, roots) in forest()) {
            let (centres, depths) = (centres(&items, &roots, GAPS), depths(&items));
            for a in 0..items.len() {
                for b in 0..a {
                    if depths[a] == depths[b] {
                        let room = (centres[a] - centres[b]).abs() - (items[a].breadth + items[b].breadth) / 2.0;
                        prop_assert!(room >= GAPS.sibling - 1e-6, "{a} and {b} are {room} apart");
                    }
                }
            }
        }

        #[test]
        fn parents_are_centred_children_keep_their_order_and_nothing_is_negative((items, roots) in forest()) {
            let centres = centres(&items, &roots, GAPS);
            for (at, item) in items.iter().enumerate() {
                prop_assert!(centres[at] - item.breadth / 2.0 >= -1e-6);
                if let (Some(first), Some(last)) = (item.children.first(), item.children.last()) {
                    prop_assert!(((centres[*first] + centres[*last]) / 2.0 - centres[at]).abs() < 1e-6);
                }
                prop_assert!(item.children.is_sorted_by(|a, b| centres[*a] < centres[*b]));
            }
        }

        #[test]
        fn the_same_forest_is_laid_out_the_same_way((items, roots) in forest()) {
            prop_assert_eq!(centres(&items, &roots, GAPS), centres(&items, &roots, GAPS));
        }
    }
}
