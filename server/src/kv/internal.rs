//! The store inside our own backend: table `kv_store`.

use std::collections::BTreeMap;

use chrono::Utc;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use super::{KvError, KvPair, KvStore};
use crate::store::Store;

/// The backend's table.
#[derive(Debug, Clone)]
pub struct Internal {
    store: Store,
}

impl Internal {
    /// The table of this backend.
    pub fn new(store: Store) -> Self {
        Self { store }
    }
}

impl KvStore for Internal {
    fn name(&self) -> &'static str {
        "internal"
    }

    fn put<'a>(&'a self, pairs: &'a [KvPair]) -> BoxFuture<'a, Result<(), KvError>> {
        let pairs: Vec<(String, String)> = pairs.iter().map(|p| (p.key.clone(), p.value.clone())).collect();
        async move { self.store.put_kv(&pairs, Utc::now()).await.map_err(|error| KvError(error.to_string())) }.boxed()
    }

    fn read<'a>(
        &'a self,
        prefix: &'a str,
        _keys: &'a [String],
    ) -> BoxFuture<'a, Result<Vec<BTreeMap<String, String>>, KvError>> {
        async move {
            let found = self.store.kv_below(prefix).await.map_err(|error| KvError(error.to_string()))?;
            Ok(vec![found])
        }
        .boxed()
    }
}
