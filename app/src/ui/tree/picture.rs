//! The picture of a cluster: where each box stands and how each line runs, in units of the picture.

use super::layout::{Gaps, Item, centres};
use crate::ui::model::camera::Point;
use crate::ui::model::decimal::px;
use crate::ui::model::order::sort;
use crate::ui::model::shape::Forest;

/// Which way replicas stand from their source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Direction {
    /// Below it.
    #[default]
    Down,
    /// To its right: better for many siblings.
    Right,
}

/// Size of a box.
pub const BOX: Point = Point { x: 240.0, y: 78.0 };
/// So many childless siblings stand in several rows (or columns).
const MANY_LEAVES: usize = 7;
/// Between levels, where the lag is written.
const LEVEL_GAP: Point = Point { x: 108.0, y: 64.0 };

/// A line between two boxes.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// Path data of SVG.
    pub path: String,
    /// Where the words of the line stand.
    pub label: Point,
    /// Which part of them stands there (`text-anchor` of SVG).
    pub anchor: &'static str,
}

/// Where everything is.
#[derive(Debug, Clone, PartialEq)]
pub struct Picture {
    /// Upper left corner of each box, in the order of the forest's nodes.
    pub corners: Vec<Point>,
    /// Size of the whole.
    pub size: Point,
    /// Which way it grows.
    pub direction: Direction,
}

impl Picture {
    /// Lays a forest out.
    pub fn new(forest: &Forest, direction: Direction) -> Self {
        let (breadth, gaps) = match direction {
            Direction::Down => (BOX.x, Gaps { sibling: 24.0, tree: 64.0 }),
            Direction::Right => (BOX.y, Gaps { sibling: 18.0, tree: 48.0 }),
        };
        let mut items: Vec<Item> =
            forest.nodes.iter().map(|node| Item { breadth, children: node.children.clone() }).collect();
        let blocks = Block::all(forest, direction, &mut items, gaps.sibling);
        let along = centres(&items, &forest.roots, gaps);
        let mut corners: Vec<Point> = forest
            .nodes
            .iter()
            .zip(&along)
            .map(|(node, centre)| corner_at(direction, *centre, number(node.depth)))
            .collect();
        for block in &blocks {
            block.place(direction, gaps.sibling, &along, &mut corners);
        }
        let size = corners.iter().fold(Point::default(), |s, c| Point::new(s.x.max(c.x + BOX.x), s.y.max(c.y + BOX.y)));
        Self { corners, size, direction }
    }

    /// The way of growing that shows more in a screen of this size.
    pub fn better_direction(forest: &Forest, screen: Point) -> Direction {
        let scale = |direction| {
            let size = Self::new(forest, direction).size;
            (screen.x / size.x.max(1.0)).min(screen.y / size.y.max(1.0)).min(1.0)
        };
        // Down unless the other one is clearly larger: the source belongs on top.
        if scale(Direction::Right) > scale(Direction::Down) * 1.15 { Direction::Right } else { Direction::Down }
    }

    /// The line from a source's box to a replica's.
    pub fn line(&self, source: usize, replica: usize) -> Line {
        let (from, to) = (self.corner(source), self.corner(replica));
        match self.direction {
            Direction::Down => {
                let (a, b) = (Point::new(from.x + BOX.x / 2.0, from.y + BOX.y), Point::new(to.x + BOX.x / 2.0, to.y));
                let middle = px((a.y + b.y) / 2.0);
                let path = format!("M{}C{} {middle} {} {middle} {}", a.text(), px(a.x), px(b.x), b.text());
                Line { path, label: Point::new(b.x, b.y - 16.0), anchor: "middle" }
            }
            Direction::Right => {
                let (a, b) = (Point::new(from.x + BOX.x, from.y + BOX.y / 2.0), Point::new(to.x, to.y + BOX.y / 2.0));
                let middle = px((a.x + b.x) / 2.0);
                let path = format!("M{}C{middle} {} {middle} {} {}", a.text(), px(a.y), px(b.y), b.text());
                Line { path, label: Point::new(b.x - 8.0, b.y - 9.0), anchor: "end" }
            }
        }
    }

    /// A line outside the tree's own, in a bow from middle to middle.
    pub fn bow(&self, source: usize, replica: usize) -> Line {
        let centre = |at: usize| {
            let corner = self.corner(at);
            Point::new(corner.x + BOX.x / 2.0, corner.y + BOX.y / 2.0)
        };
        let (a, b) = (centre(source), centre(replica));
        let bend = 0.35 * ((b.x - a.x).abs() + (b.y - a.y).abs()) + 40.0;
        let via = match self.direction {
            Direction::Down => Point::new((a.x + b.x) / 2.0 + bend, (a.y + b.y) / 2.0),
            Direction::Right => Point::new((a.x + b.x) / 2.0, (a.y + b.y) / 2.0 - bend),
        };
        let label = Point::new((a.x + b.x + 2.0 * via.x) / 4.0, (a.y + b.y + 2.0 * via.y) / 4.0);
        Line { path: format!("M{}Q{} {}", a.text(), via.text(), b.text()), label, anchor: "middle" }
    }

    /// Upper left corner of a box.
    pub fn corner(&self, at: usize) -> Point {
        self.corners.get(at).copied().unwrap_or_default()
    }
}

/// Counts of servers are small numbers; no precision is lost.
fn number(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

/// The corner of a box with this centre along the siblings' axis, so many levels in.
fn corner_at(direction: Direction, centre: f64, depth: f64) -> Point {
    match direction {
        Direction::Down => Point::new(centre - BOX.x / 2.0, depth * (BOX.y + LEVEL_GAP.y)),
        Direction::Right => Point::new(depth * (BOX.x + LEVEL_GAP.x), centre - BOX.y / 2.0),
    }
}

/// Many childless siblings, in lines of equal length, one line a level.
struct Block {
    leaves: Vec<usize>,
    /// Leaves in a line.
    length: usize,
    /// Place of the block in the layout, where it stands for its leaves.
    item: usize,
    depth: usize,
}

impl Block {
    /// Finds the blocks of a forest and puts each into `items` in place of its leaves: a chain of boxes as broad as a line,
    /// one for each line, so that nothing else comes to stand there.
    fn all(forest: &Forest, direction: Direction, items: &mut Vec<Item>, gap: f64) -> Vec<Self> {
        let mut blocks = Vec::new();
        for (at, node) in forest.nodes.iter().enumerate() {
            let is_leaf = |child: &usize| forest.nodes.get(*child).is_some_and(|n| n.children.is_empty());
            let leaves: Vec<usize> = node.children.iter().copied().filter(is_leaf).collect();
            if leaves.len() < MANY_LEAVES {
                continue;
            }
            // About as high as it is wide.
            let root = number(leaves.len()).sqrt();
            let lengthening = if direction == Direction::Right { 1.8 } else { 0.75 };
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            let length = ((root * lengthening).ceil() as usize).clamp(2, leaves.len());
            let lines = leaves.len().div_ceil(length);
            let one = if direction == Direction::Right { BOX.y } else { BOX.x };
            let breadth = number(length) * one + number(length - 1) * gap;
            let item = items.len();
            for line in 0..lines {
                let children = if line + 1 < lines { vec![item + line + 1] } else { Vec::new() };
                items.push(Item { breadth, children });
            }
            if let Some(parent) = items.get_mut(at) {
                parent.children.retain(|child| !leaves.contains(child));
                parent.children.push(item);
            }
            blocks.push(Self { leaves, length, item, depth: node.depth + 1 });
        }
        blocks
    }

    fn place(&self, direction: Direction, gap: f64, along: &[f64], corners: &mut [Point]) {
        let one = if direction == Direction::Right { BOX.y } else { BOX.x };
        let centre = along.get(self.item).copied().unwrap_or_default();
        let breadth = number(self.length) * one + number(self.length - 1) * gap;
        for (nth, leaf) in self.leaves.iter().enumerate() {
            let (line, in_line) = (nth / self.length, nth % self.length);
            let at = centre - breadth / 2.0 + number(in_line) * (one + gap) + one / 2.0;
            if let Some(corner) = corners.get_mut(*leaf) {
                *corner = corner_at(direction, at, number(self.depth + line));
            }
        }
    }
}

/// A step of a walk by arrow keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Left arrow.
    Left,
    /// Right arrow.
    Right,
    /// Up arrow.
    Up,
    /// Down arrow.
    Down,
    /// Home.
    First,
    /// End.
    Last,
}

/// Where a step leads from a box; the same place when there is nothing that way. Up and down the levels goes to the
/// source and to the middle replica, along a level to the neighbour, whoever's replica it is.
pub fn walk(forest: &Forest, picture: &Picture, at: usize, step: Step) -> usize {
    let Some(node) = forest.nodes.get(at) else { return 0 };
    let along = |corner: Point| match picture.direction {
        Direction::Down => (corner.y, corner.x),
        Direction::Right => (corner.x, corner.y),
    };
    let level = || {
        let mut level: Vec<usize> = (0..forest.nodes.len())
            .filter(|other| forest.nodes.get(*other).is_some_and(|n| n.depth == node.depth))
            .collect();
        sort(&mut level, &|a, b| {
            let ((line_a, a), (line_b, b)) = (along(picture.corner(*a)), along(picture.corner(*b)));
            line_a.total_cmp(&line_b).then(a.total_cmp(&b))
        });
        level
    };
    let neighbour = |by: isize| {
        let level = level();
        let here = level.iter().position(|other| *other == at)?;
        level.get(here.checked_add_signed(by)?).copied()
    };
    let inwards = || node.children.get(node.children.len().saturating_sub(1) / 2).copied();
    let found = match (step, picture.direction) {
        (Step::First, _) => Some(0),
        (Step::Last, _) => forest.nodes.len().checked_sub(1),
        (Step::Up, Direction::Down) | (Step::Left, Direction::Right) => node.parent,
        (Step::Down, Direction::Down) | (Step::Right, Direction::Right) => inwards(),
        (Step::Left, Direction::Down) | (Step::Up, Direction::Right) => neighbour(-1),
        (Step::Right, Direction::Down) | (Step::Down, Direction::Right) => neighbour(1),
    };
    found.unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::InstanceKey;
    use crate::ui::model::shape::Row;

    fn forest(sources: &[Option<usize>]) -> Forest {
        let key = |n: usize| InstanceKey::new(format!("db{n:03}"), 3306);
        let rows: Vec<Row> = sources
            .iter()
            .enumerate()
            .map(|(n, s)| Row { key: key(n), source: s.map(key), more_sources: Vec::new() })
            .collect();
        Forest::new(&rows, None)
    }

    #[test]
    fn replicas_stand_below_or_beside_their_source() {
        let forest = forest(&[None, Some(0), Some(0)]);
        let down = Picture::new(&forest, Direction::Down);
        assert!(down.corner(1).y >= down.corner(0).y + BOX.y);
        let right = Picture::new(&forest, Direction::Right);
        assert!(right.corner(1).x >= right.corner(0).x + BOX.x);
        assert_eq!(down.size.x, 2.0 * BOX.x + 24.0);
    }

    #[test]
    fn many_siblings_are_drawn_to_the_right_and_few_downwards() {
        let screen = Point::new(860.0, 640.0);
        let few = forest(&[None, Some(0), Some(0)]);
        assert_eq!(Picture::better_direction(&few, screen), Direction::Down);
        let many = forest(&[vec![None], vec![Some(0); 6]].concat());
        assert_eq!(Picture::better_direction(&many, screen), Direction::Right);
    }

    #[test]
    fn many_leaves_stand_in_several_lines() {
        let forest = forest(&[vec![None], vec![Some(0); 24]].concat());
        let picture = Picture::new(&forest, Direction::Right);
        assert!(picture.size.y < 12.0 * BOX.y, "24 in one line would be {}", 24.0 * BOX.y);
        let columns: std::collections::BTreeSet<i64> = picture.corners.iter().map(|c| c.x as i64).collect();
        assert_eq!(columns.len(), 4, "the source and three lines");
    }

    proptest! {
        #[test]
        fn no_two_boxes_overlap(
            sources in prop::collection::vec(prop::option::weighted(0.95, 0usize..6), 1..40),
            right in any::<bool>(),
        ) {
            let forest = forest(&sources);
            let picture = Picture::new(&forest, if right { Direction::Right } else { Direction::Down });
            for (at, a) in picture.corners.iter().enumerate() {
                prop_assert!(a.x > -1e-6 && a.y > -1e-6 && a.x + BOX.x < picture.size.x + 1e-6);
                for b in picture.corners.iter().skip(at + 1) {
                    prop_assert!((a.x - b.x).abs() >= BOX.x || (a.y - b.y).abs() >= BOX.y, "{a:?} {b:?}");
                }
            }
        }
    }

    #[test]
    fn arrows_walk_to_source_replica_and_neighbour() {
        // 0 above 1 (with 3 below it) and 2.
        let forest = forest(&[None, Some(0), Some(0), Some(1)]);
        let at =
            |n: usize| forest.nodes.iter().position(|node| node.key.hostname == format!("db{n:03}")).expect("drawn");
        let picture = Picture::new(&forest, Direction::Down);
        assert_eq!(walk(&forest, &picture, at(1), Step::Up), at(0));
        assert_eq!(walk(&forest, &picture, at(1), Step::Down), at(3));
        assert_eq!(walk(&forest, &picture, at(1), Step::Right), at(2));
        assert_eq!(walk(&forest, &picture, at(2), Step::Right), at(2), "nothing that way");
        let picture = Picture::new(&forest, Direction::Right);
        assert_eq!(walk(&forest, &picture, at(1), Step::Left), at(0));
        assert_eq!(walk(&forest, &picture, at(1), Step::Down), at(2));
    }
}
