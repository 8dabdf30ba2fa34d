//! Every transaction that was ever written, and sets of them.

/// Index of a transaction in the [`Ledger`].
pub type TxnId = usize;

/// One transaction.
#[derive(Debug, Clone)]
pub struct Txn {
    /// The server it was committed on.
    pub origin: usize,
    /// MySQL: 0 is untagged, 1 has a tag. MariaDB: the domain.
    pub stream: usize,
    /// Number within (origin, stream) on MySQL, within the domain on MariaDB.
    pub number: u64,
    /// When, in milliseconds.
    pub at: u64,
}

/// All transactions, and which of them a client was told of.
#[derive(Debug, Default)]
pub struct Ledger {
    pub txns: Vec<Txn>,
    pub acknowledged: Set,
}

impl Ledger {
    pub fn add(&mut self, txn: Txn) -> TxnId {
        self.txns.push(txn);
        self.txns.len() - 1
    }

    /// For people: `db0#17`, with the stream where it is not the first.
    pub fn name(&self, id: TxnId) -> String {
        let txn = &self.txns[id];
        let stream = if txn.stream > 0 { format!("/{}", txn.stream) } else { String::new() };
        format!("db{}{stream}#{}", txn.origin, txn.number)
    }

    pub fn names(&self, ids: &[TxnId]) -> String {
        let shown: Vec<String> = ids.iter().take(8).map(|id| self.name(*id)).collect();
        let more = if ids.len() > 8 { format!(" and {} more", ids.len() - 8) } else { String::new() };
        shown.join(", ") + &more
    }
}

/// A set of transactions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Set(Vec<u64>);

impl Set {
    pub fn insert(&mut self, id: TxnId) {
        let word = id / 64;
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        self.0[word] |= 1 << (id % 64);
    }

    pub fn remove(&mut self, id: TxnId) {
        if let Some(word) = self.0.get_mut(id / 64) {
            *word &= !(1 << (id % 64));
        }
    }

    pub fn contains(&self, id: TxnId) -> bool {
        self.0.get(id / 64).is_some_and(|word| word & (1 << (id % 64)) != 0)
    }

    pub fn add_all(&mut self, other: &Self) {
        if self.0.len() < other.0.len() {
            self.0.resize(other.0.len(), 0);
        }
        for (own, theirs) in self.0.iter_mut().zip(&other.0) {
            *own |= theirs;
        }
    }

    /// What is in here and not in `other`.
    pub fn minus(&self, other: &Self) -> Self {
        let theirs = |n: usize| other.0.get(n).copied().unwrap_or(0);
        Self(self.0.iter().enumerate().map(|(n, own)| own & !theirs(n)).collect())
    }

    pub fn both(&self, other: &Self) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(a, b)| a & b).collect())
    }

    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    pub fn ids(&self) -> Vec<TxnId> {
        let bits = |(n, word): (usize, &u64)| {
            let word = *word;
            (0..64).filter(move |bit| word & (1 << bit) != 0).map(move |bit| n * 64 + bit)
        };
        self.0.iter().enumerate().flat_map(bits).collect()
    }
}
