//! What a running round remembers of the objectives of the map.

/// The objectives of a round, as far as the next lines about them need it.
#[derive(Debug, Default)]
pub(super) struct Objectives {
    /// How many the timeline lists.
    pub(super) listed: usize,
    /// Those of the current level time that another line can complete.
    pub(super) halves: Vec<Half>,
}

/// An entry of the timeline that the game has told one half of: the player, or the team and the name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Half {
    pub(super) level_ms: i64,
    /// Its index in the timeline.
    pub(super) index: usize,
    pub(super) has_player: bool,
}
