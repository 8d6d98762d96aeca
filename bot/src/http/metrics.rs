//! The Prometheus metrics of this process.

use std::sync::OnceLock;

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

/// The one recorder of this process.
pub(super) fn prometheus() -> PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    HANDLE
        .get_or_init(|| {
            let recorder = PrometheusBuilder::new().build_recorder();
            let handle = recorder.handle();
            // Fails only inside a program that has its own recorder.
            drop(metrics::set_global_recorder(recorder));
            handle
        })
        .clone()
}

/// Starts counting. Called before anything is counted.
pub fn install() {
    drop(prometheus());
}
