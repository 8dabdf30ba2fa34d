//! Sets of sequence numbers, kept as intervals.

use std::fmt;

/// The largest sequence number of MySQL, 2^63-2.
pub const MAX_SEQUENCE: u64 = i64::MAX as u64 - 1;

/// Sequence numbers from `first` to `last`, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Interval {
    /// First number, from 1.
    pub first: u64,
    /// Last number, not below `first`.
    pub last: u64,
}

impl Interval {
    /// How many numbers.
    pub fn count(self) -> u64 {
        (self.last - self.first).saturating_add(1)
    }
}

/// A set of sequence numbers: sorted intervals that neither touch nor overlap.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Intervals(Vec<Interval>);

impl Intervals {
    /// Any intervals, brought into order. Those with `last < first` are empty and left out.
    pub fn from_unordered(mut intervals: Vec<Interval>) -> Self {
        intervals.retain(|i| i.first <= i.last);
        if intervals.windows(2).all(|pair| matches!(pair, [a, b] if a.last.saturating_add(1) < b.first)) {
            return Self(intervals);
        }
        intervals.sort_unstable();
        let mut merged: Vec<Interval> = Vec::with_capacity(intervals.len());
        for next in intervals {
            match merged.last_mut() {
                Some(open) if next.first <= open.last.saturating_add(1) => open.last = open.last.max(next.last),
                _ => merged.push(next),
            }
        }
        Self(merged)
    }

    /// No number.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many numbers.
    pub fn count(&self) -> u128 {
        self.0.iter().map(|i| u128::from(i.count())).sum()
    }

    /// The intervals in order.
    pub fn iter(&self) -> impl Iterator<Item = Interval> + '_ {
        self.0.iter().copied()
    }

    /// The number is in the set.
    pub fn contains(&self, number: u64) -> bool {
        let after = self.0.partition_point(|i| i.first <= number);
        after.checked_sub(1).and_then(|at| self.0.get(at)).is_some_and(|i| number <= i.last)
    }

    /// Every number of `other` is in the set.
    pub fn contains_all(&self, other: &Self) -> bool {
        let mut own = self.0.iter().peekable();
        other.0.iter().all(|wanted| {
            while own.next_if(|i| i.last < wanted.first).is_some() {}
            own.peek().is_some_and(|i| i.first <= wanted.first && wanted.last <= i.last)
        })
    }

    /// Numbers of either.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        Self::from_unordered(self.0.iter().chain(&other.0).copied().collect())
    }

    /// Numbers of both.
    #[must_use]
    pub fn intersect(&self, other: &Self) -> Self {
        let (mut left, mut right) = (self.0.iter().peekable(), other.0.iter().peekable());
        let mut common = Vec::new();
        while let (Some(a), Some(b)) = (left.peek(), right.peek()) {
            let (first, last) = (a.first.max(b.first), a.last.min(b.last));
            if first <= last {
                common.push(Interval { first, last });
            }
            if a.last < b.last {
                left.next()
            } else {
                right.next()
            };
        }
        Self(common)
    }

    /// Numbers of this one that are not in `other`.
    #[must_use]
    pub fn subtract(&self, other: &Self) -> Self {
        let mut taken = other.0.iter().peekable();
        let mut rest = Vec::new();
        for own in &self.0 {
            // What is left of this interval begins here; `None` when its end is taken.
            let mut left = Some(own.first);
            while taken.next_if(|t| t.last < own.first).is_some() {}
            while let (Some(first), Some(t)) = (left, taken.peek().filter(|t| t.first <= own.last)) {
                if first < t.first {
                    rest.push(Interval { first, last: t.first - 1 });
                }
                left = t.last.checked_add(1).filter(|next| *next <= own.last);
                if left.is_none() {
                    break; // It may take from the next interval too.
                }
                taken.next();
            }
            rest.extend(left.map(|first| Interval { first, last: own.last }));
        }
        Self(rest)
    }
}

impl fmt::Display for Intervals {
    /// `1-3:5:7-9`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, i) in self.0.iter().enumerate() {
            if n > 0 {
                f.write_str(":")?;
            }
            write!(f, "{}", i.first)?;
            if i.first < i.last {
                write!(f, "-{}", i.last)?;
            }
        }
        Ok(())
    }
}
