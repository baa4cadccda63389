//! The address of a peer as Java prints it: what Apache Kafka shows and stores as a client's host.

use std::net::IpAddr;

/// A slash and the address; IPv6 in eight groups without abbreviation.
pub(crate) fn java_address(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => format!("/{address}"),
        IpAddr::V6(address) => {
            let groups = address.segments().map(|group| format!("{group:x}"));
            format!("/{}", groups.join(":"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_those_of_java() {
        for (address, java) in [
            ("127.0.0.1", "/127.0.0.1"),
            ("::ffff:10.1.2.3", "/10.1.2.3"),
            ("::1", "/0:0:0:0:0:0:0:1"),
            ("fe80::a00:27ff", "/fe80:0:0:0:0:0:a00:27ff"),
        ] {
            assert_eq!(java_address(address.parse().expect("an address")), java);
        }
    }
}
