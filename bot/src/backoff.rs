//! Waiting between attempts: each wait is twice as long as the one before, up to a limit.

use std::time::Duration;

use tokio::time;

/// The waits after failed attempts.
#[derive(Debug, Clone, Copy)]
pub struct Backoff {
    first: Duration,
    limit: Duration,
    failures: u32,
}

impl Backoff {
    /// Waits `first` after the first failure, and never longer than `limit`.
    pub const fn new(first: Duration, limit: Duration) -> Self {
        Self {
            first,
            limit,
            failures: 0,
        }
    }

    /// Continues after this many failures in a row, for counters that are kept elsewhere.
    pub const fn after(mut self, failures: u32) -> Self {
        self.failures = failures;
        self
    }

    /// Counts a failure and returns how long to wait before the next attempt.
    pub fn next_wait(&mut self) -> Duration {
        let wait = 2_u32
            .checked_pow(self.failures)
            .and_then(|factor| self.first.checked_mul(factor));
        self.failures = self.failures.saturating_add(1);
        wait.unwrap_or(self.limit).min(self.limit)
    }

    /// How many attempts in a row have failed.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// An attempt succeeded: the next failure waits `first` again.
    pub fn reset(&mut self) {
        self.failures = 0;
    }

    /// Repeats `attempt` until it succeeds. `report` gets each error and the wait that follows it.
    pub async fn retry<T, E, F: Future<Output = Result<T, E>>>(
        mut self,
        mut attempt: impl FnMut() -> F,
        mut report: impl FnMut(E, Duration),
    ) -> T {
        loop {
            match attempt().await {
                Ok(value) => return value,
                Err(error) => {
                    let wait = self.next_wait();
                    report(error, wait);
                    time::sleep(wait).await;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_limit_and_start_over_after_a_success() {
        let mut backoff = Backoff::new(Duration::from_secs(2), Duration::from_secs(600));
        let waits: Vec<u64> = (0..10).map(|_| backoff.next_wait().as_secs()).collect();
        assert_eq!(waits, [2, 4, 8, 16, 32, 64, 128, 256, 512, 600]);
        assert_eq!(backoff.failures(), 10);
        backoff.reset();
        assert_eq!(backoff.next_wait().as_secs(), 2);
        for failures in [32, u32::MAX] {
            assert_eq!(backoff.after(failures).next_wait().as_secs(), 600);
        }
    }

    #[tokio::test]
    async fn retry_reports_each_failure_and_returns_the_first_success() {
        let backoff = Backoff::new(Duration::from_millis(1), Duration::from_millis(2));
        let (mut attempts, mut reported) = (0, Vec::new());
        let value = backoff
            .retry(
                || {
                    attempts += 1;
                    std::future::ready(if attempts < 4 {
                        Err(attempts)
                    } else {
                        Ok("done")
                    })
                },
                |error, wait| reported.push((error, wait.as_millis())),
            )
            .await;
        assert_eq!(value, "done");
        assert_eq!(reported, [(1, 1), (2, 2), (3, 2)]);
    }
}
