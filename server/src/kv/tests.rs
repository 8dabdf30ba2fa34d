//! What is published.

use std::net::IpAddr;

use app::InstanceKey;

use super::{Addresses, pairs};

#[test]
fn five_pairs_below_the_prefix_whatever_slashes_it_has() {
    let addresses = Addresses::of(["192.0.2.7", "2001:db8::7", "192.0.2.8"].map(|a| a.parse::<IpAddr>().unwrap()));
    let told = |prefix: &str| -> Vec<String> {
        let pairs = pairs(prefix, "orders", &InstanceKey::new("db2", 3307), &addresses);
        pairs.into_iter().map(|p| format!("{}={}", p.key, p.value)).collect()
    };
    let expected = [
        "mysql/master/orders=db2:3307",
        "mysql/master/orders/hostname=db2",
        "mysql/master/orders/port=3307",
        "mysql/master/orders/ipv4=192.0.2.7",
        "mysql/master/orders/ipv6=2001:db8::7",
    ];
    assert_eq!(told("mysql/master/"), expected);
    assert_eq!(told("/mysql/master/"), expected);
    assert_eq!(told("/")[0], "orders=db2:3307");
}

#[test]
fn what_is_not_known_of_addresses_is_empty() {
    assert_eq!(Addresses::of([]), Addresses::default());
}
