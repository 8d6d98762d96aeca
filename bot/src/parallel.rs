//! Work on many items at once.

/// Fewer items are not worth a thread.
const WORTH_A_THREAD: usize = 32;

/// The results of a function for all items, in their order, computed on all cores.
pub fn map<'a, T: Sync, R: Send>(items: &'a [T], of: impl Fn(&'a T) -> R + Sync) -> Vec<R> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let per_thread = items.len().div_ceil(threads).max(WORTH_A_THREAD);
    let mut parts = items.chunks(per_thread);
    let first = parts.next().unwrap_or_default();
    let of = &of;
    std::thread::scope(|scope| {
        let others: Vec<_> = parts
            .map(|part| scope.spawn(move || part.iter().map(of).collect::<Vec<_>>()))
            .collect();
        let mut results: Vec<R> = first.iter().map(of).collect();
        for part in others {
            match part.join() {
                Ok(part) => results.extend(part),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        results
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_in_the_order_of_the_items() {
        for count in [0, 1, 31, 1000] {
            let items: Vec<usize> = (0..count).collect();
            assert_eq!(map(&items, |n| n + 1), (1..=count).collect::<Vec<_>>());
        }
    }
}
