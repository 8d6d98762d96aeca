//! The server that a fact is from.

use super::{Document, Fact};

/// A server, as far as a fact identifies it. Parts that the fact does not contain are empty.
#[derive(Debug, Clone, Copy)]
pub(super) struct Server<'a> {
    /// `ip:port`, or the name that an admin gave to the source.
    pub(super) address: &'a str,
    /// The name that players see, without colour codes.
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

    /// Fills in missing parts from another fact of the same server.
    pub(super) fn or(self, other: Self) -> Self {
        let known = |a: &'a str, b: &'a str| if a.is_empty() { b } else { a };
        Self {
            address: known(self.address, other.address),
            name: known(self.name, other.name),
        }
    }

    /// Whether both can be the same server: no part that both contain differs.
    pub(super) fn may_be(self, other: Server<'_>) -> bool {
        let address =
            self.address.is_empty() || other.address.is_empty() || self.address == other.address;
        address
            && (self.name.is_empty() || other.name.is_empty() || same_name(self.name, other.name))
    }
}

/// The server of reports of the same round. If they disagree, the most complete report decides, which is the first.
pub(super) fn of_reports<'a>(facts: &'a [Fact], reports: &[usize]) -> Server<'a> {
    of(facts, reports.iter().copied())
}

/// The server of facts of the same round. If they disagree, the first decides.
pub(super) fn of(facts: &[Fact], members: impl Iterator<Item = usize>) -> Server<'_> {
    let unknown = Server {
        address: "",
        name: "",
    };
    members
        .map(|i| Server::of(&facts[i]))
        .fold(unknown, Server::or)
}

/// Compares letters and digits only: the scripts leave other characters out of a name.
fn same_name(a: &str, b: &str) -> bool {
    let plain = |c: &char| c.is_alphanumeric();
    let lower = |c: char| c.to_lowercase();
    a.chars()
        .filter(plain)
        .flat_map(lower)
        .eq(b.chars().filter(plain).flat_map(lower))
}
