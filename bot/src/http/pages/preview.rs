//! What other programs, such as Discord, show of a link to a page.

use std::sync::Arc;

use askama::Template;

/// A preview, for the head of a page.
#[derive(Template)]
#[template(path = "preview.html")]
pub struct Preview {
    public_url: Arc<str>,
    path: String,
    title: String,
    description: String,
    /// The path of a PNG.
    image: Option<String>,
}

impl Preview {
    /// The preview of the page at a path; `None` if `public_url` is not set, because previews need absolute addresses.
    pub fn new(
        public_url: Option<&Arc<str>>,
        path: String,
        title: String,
        description: String,
        image: Option<String>,
    ) -> Option<Self> {
        Some(Self {
            public_url: Arc::clone(public_url?),
            path,
            title,
            description,
            image,
        })
    }
}
