//! Blocks of addresses.

use std::net::{IpAddr, Ipv4Addr};

/// A block of addresses, such as `10.0.0.0/8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cidr {
    address: IpAddr,
    prefix: u32,
}

/// Where pods and nodes live: the private blocks and the one for carriers, that clusters use too.
const PRIVATE: [(Ipv4Addr, u32); 4] = [
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
];

impl Cidr {
    /// Reads `address/prefix`; none when it is no such thing.
    pub fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = text.split_once('/')?;
        let (address, prefix): (IpAddr, u32) = (address.parse().ok()?, prefix.parse().ok()?);
        (prefix <= bits(address)).then_some(Self { address, prefix })
    }

    /// True: an address of the block.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.address.is_ipv4() == address.is_ipv4() && {
            let shift = bits(address) - self.prefix;
            shift == 128 || number(self.address) >> shift == number(address) >> shift
        }
    }

    /// True: every address of the block, of IPv4 or of IPv6.
    pub fn is_everything(&self) -> bool {
        self.prefix == 0
    }

    /// True: wherever the cluster's pods have their addresses, they are in this block and not in its exceptions.
    pub fn holds_pods(&self, except: &[Cidr]) -> bool {
        let private = PRIVATE.map(|(address, prefix)| Cidr { address: IpAddr::V4(address), prefix });
        let overlap = |a: &Cidr, b: &Cidr| a.contains(b.address) || b.contains(a.address);
        private.iter().all(|block| self.prefix <= block.prefix && self.contains(block.address) && !except.iter().any(|except| overlap(except, block)))
    }
}

fn bits(address: IpAddr) -> u32 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(u32::from(address)),
        IpAddr::V6(address) => u128::from(address),
    }
}

#[cfg(test)]
mod tests {
    use super::Cidr;

    #[test]
    fn blocks_hold_their_addresses() {
        let holds = |block: &str, address: &str| Cidr::parse(block).expect("block").contains(address.parse().expect("address"));
        assert!(holds("10.0.0.0/8", "10.255.0.1") && !holds("10.0.0.0/8", "11.0.0.1"));
        assert!(holds("0.0.0.0/0", "8.8.8.8") && !holds("0.0.0.0/0", "2001:db8::1"));
        assert!(holds("::/0", "2001:db8::1") && holds("2001:db8::/32", "2001:db8:1::1"));
        assert!(holds("169.254.169.254/32", "169.254.169.254") && !holds("169.254.169.254/32", "169.254.169.253"));
        assert_eq!((Cidr::parse("10.0.0.0"), Cidr::parse("10.0.0.0/33"), Cidr::parse("x/8")), (None, None, None));
    }

    #[test]
    fn only_a_block_of_all_private_addresses_certainly_holds_pods() {
        let holds = |block: &str, except: &[&str]| {
            let except: Vec<Cidr> = except.iter().filter_map(|text| Cidr::parse(text)).collect();
            Cidr::parse(block).expect("block").holds_pods(&except)
        };
        assert!(holds("0.0.0.0/0", &[]) && holds("0.0.0.0/0", &["169.254.169.254/32"]));
        assert!(!holds("0.0.0.0/0", &["10.0.0.0/8"]) && !holds("0.0.0.0/0", &["10.1.2.0/24"]) && !holds("10.0.0.0/8", &[]));
    }
}
