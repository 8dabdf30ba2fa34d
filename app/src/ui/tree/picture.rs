//! The picture of a cluster: where each box stands and how each line runs, in units of the picture.

use super::layout::{Gaps, Item, centres};
use crate::ui::model::camera::Point;
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
pub const BOX: Point = Point { x: 216.0, y: 78.0 };
/// Between levels, where the lag is written.
const LEVEL_GAP: Point = Point { x: 108.0, y: 64.0 };

/// A line between two boxes.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// Path data of SVG.
    pub path: String,
    /// Where the words of the line are centred.
    pub label: Point,
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
        let breadth = match direction {
            Direction::Down => BOX.x,
            Direction::Right => BOX.y,
        };
        let items: Vec<Item> =
            forest.nodes.iter().map(|node| Item { breadth, children: node.children.clone() }).collect();
        let gaps = match direction {
            Direction::Down => Gaps { sibling: 24.0, tree: 64.0 },
            Direction::Right => Gaps { sibling: 18.0, tree: 48.0 },
        };
        let along = centres(&items, &forest.roots, gaps);
        let corner = |(node, centre): (&crate::ui::model::shape::Node, &f64)| {
            // Depths are small numbers; no precision is lost.
            let depth = f64::from(u32::try_from(node.depth).unwrap_or(u32::MAX));
            match direction {
                Direction::Down => Point::new(centre - BOX.x / 2.0, depth * (BOX.y + LEVEL_GAP.y)),
                Direction::Right => Point::new(depth * (BOX.x + LEVEL_GAP.x), centre - BOX.y / 2.0),
            }
        };
        let corners: Vec<Point> = forest.nodes.iter().zip(&along).map(corner).collect();
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
                let middle = (a.y + b.y) / 2.0;
                let path = format!("M{} {}C{} {middle} {} {middle} {} {}", a.x, a.y, a.x, b.x, b.x, b.y);
                Line { path, label: Point::new(b.x, b.y - 16.0) }
            }
            Direction::Right => {
                let (a, b) = (Point::new(from.x + BOX.x, from.y + BOX.y / 2.0), Point::new(to.x, to.y + BOX.y / 2.0));
                let middle = (a.x + b.x) / 2.0;
                let path = format!("M{} {}C{middle} {} {middle} {} {} {}", a.x, a.y, a.y, b.y, b.x, b.y);
                Line { path, label: Point::new(b.x - 48.0, b.y) }
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
        Line { path: format!("M{} {}Q{} {} {} {}", a.x, a.y, via.x, via.y, b.x, b.y), label }
    }

    /// Upper left corner of a box.
    pub fn corner(&self, at: usize) -> Point {
        self.corners.get(at).copied().unwrap_or_default()
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
        Direction::Down => corner.x,
        Direction::Right => corner.y,
    };
    let level = || {
        let mut level: Vec<usize> = (0..forest.nodes.len())
            .filter(|other| forest.nodes.get(*other).is_some_and(|n| n.depth == node.depth))
            .collect();
        level.sort_by(|a, b| along(picture.corner(*a)).total_cmp(&along(picture.corner(*b))));
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
        let many = forest(&[vec![None], vec![Some(0); 9]].concat());
        assert_eq!(Picture::better_direction(&many, screen), Direction::Right);
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
