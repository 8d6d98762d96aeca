//! The Prometheus metrics of this process.

use std::sync::OnceLock;

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

/// The handle of this process's recorder.
pub(super) fn prometheus() -> PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    HANDLE
        .get_or_init(|| {
            let recorder = PrometheusBuilder::new().build_recorder();
            let handle = recorder.handle();
            // Fails only in a program that has installed a recorder before.
            drop(metrics::set_global_recorder(recorder));
            handle
        })
        .clone()
}

/// Installs the recorder. What is counted earlier is lost, so this has to come first.
pub fn install() {
    drop(prometheus());
}
