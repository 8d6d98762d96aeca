//! placeholder
/// Demo.
#[derive(Debug, clap::Args)]
pub struct Demo {}
impl Demo {
    /// # Errors
    pub fn run(self) -> Result<(), String> {
        Ok(())
    }
}
