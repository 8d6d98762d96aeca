//! Which server a fact is from.

use super::{Document, Fact};

/// A server, as far as a fact tells it. What it does not tell is empty.
#[derive(Debug, Clone, Copy)]
pub(super) struct Server<'a> {
    /// `ip:port`, or the name an admin gave the place it came from.
    pub(super) address: &'a str,
    /// What players see, colours out.
    pub(super) name: &'a str,
}

impl<'a> Server<'a> {
    pub(super) fn of(fact: &'a Fact) -> Self {
        Self {
            address: &fact.server,
            name: match &fact.document {
                Document::Report(report) => &report.meta.server_hostname,
                Document::Stats(file) => &file.header.server,
                Document::Foreign(_) => "",
            },
        }
    }

    /// What this one does not tell, as the other does.
    pub(super) fn or(self, other: Self) -> Self {
        let known = |a: &'a str, b: &'a str| if a.is_empty() { b } else { a };
        Self {
            address: known(self.address, other.address),
            name: known(self.name, other.name),
        }
    }

    /// Whether both can be the same server: nothing that both tell differs.
    pub(super) fn may_be(self, other: Server<'_>) -> bool {
        let address =
            self.address.is_empty() || other.address.is_empty() || self.address == other.address;
        address
            && (self.name.is_empty() || other.name.is_empty() || same_name(self.name, other.name))
    }
}

/// The server of a group of reports, as its most complete report tells it first.
pub(super) fn of_group<'a>(facts: &'a [Fact], group: &[usize]) -> Server<'a> {
    let nobody = Server {
        address: "",
        name: "",
    };
    group
        .iter()
        .map(|&i| Server::of(&facts[i]))
        .fold(nobody, Server::or)
}

/// Equal but for what the scripts leave out of a name: only letters and digits count.
fn same_name(a: &str, b: &str) -> bool {
    let plain = |c: &char| c.is_alphanumeric();
    let lower = |c: char| c.to_lowercase();
    a.chars()
        .filter(plain)
        .flat_map(lower)
        .eq(b.chars().filter(plain).flat_map(lower))
}
