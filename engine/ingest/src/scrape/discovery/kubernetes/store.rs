//! Objects that are kept up to date: listed once, then watched.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use reqwest::{Response, Url};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::sync::Notify;

use super::super::body::{get_json, read};
use super::objects::Object;
use crate::client::{HttpClient, root_cause};

/// Objects of a page of a list.
const PAGE: &str = "500";
/// Most pages of a list.
const MAX_PAGES: usize = 10_000;
/// How long a page may take.
const LIST_TIMEOUT: Duration = Duration::from_mins(1);
/// How long the server watches before it ends the answer, in seconds.
const WATCH_SECONDS: u64 = 300;
/// Wait after a failure.
const RETRY: Duration = Duration::from_secs(5);
/// Most bytes of one event.
const MAX_EVENT_BYTES: usize = 64 << 20;

/// Objects by the list that they come from, namespace and name.
type ByKey<T> = BTreeMap<(usize, String, String), T>;

/// Objects of one kind.
#[derive(Debug)]
pub(super) struct Store<T>(Arc<Mutex<Content<T>>>);

#[derive(Debug)]
struct Content<T> {
    objects: ByKey<T>,
    /// Lists that have not come yet.
    missing: usize,
}

impl<T> Clone for Store<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Default for Store<T> {
    fn default() -> Self {
        let content = Content {
            objects: BTreeMap::new(),
            missing: 0,
        };
        Self(Arc::new(Mutex::new(content)))
    }
}

impl<T: Object> Store<T> {
    fn lock(&self) -> MutexGuard<'_, Content<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says whether all lists have come.
    pub(super) fn is_complete(&self) -> bool {
        self.lock().missing == 0
    }

    /// Looks at an object.
    pub(super) fn with<R>(
        &self,
        namespace: &str,
        name: &str,
        look: impl FnOnce(&T) -> R,
    ) -> Option<R> {
        let content = self.lock();
        let is_it = |object: &&T| {
            let meta = object.meta();
            meta.name == name && meta.namespace == namespace
        };
        let lists = content.objects.keys().map(|key| key.0).max().unwrap_or(0);
        let key = |list| (list, namespace.to_owned(), name.to_owned());
        let mut found = (0..=lists).filter_map(|list| content.objects.get(&key(list)));
        found.find(is_it).map(look)
    }

    /// Looks at all objects, in order.
    pub(super) fn each(&self, mut look: impl FnMut(&T)) {
        self.lock().objects.values().for_each(&mut look);
    }

    /// Follows what `list` lists until the task is dropped.
    pub(super) fn follow(&self, number: usize, list: Source, tasks: &mut tokio::task::JoinSet<()>) {
        self.lock().missing += 1;
        let store = self.clone();
        tasks.spawn(async move { store.follow_for_ever(number, list).await });
    }

    async fn follow_for_ever(self, number: usize, source: Source) {
        let mut has_come = false;
        loop {
            let followed = self.list_and_watch(number, &source, &mut has_come).await;
            if let Err(reason) = followed {
                let path = source.url.path();
                tracing::error!(path, reason, "cannot follow objects of Kubernetes");
                tokio::time::sleep(RETRY).await;
            }
        }
    }

    /// Lists, and then watches until a new list is needed.
    async fn list_and_watch(
        &self,
        number: usize,
        source: &Source,
        has_come: &mut bool,
    ) -> Result<(), String> {
        let (objects, mut version) = source.list::<T>().await?;
        {
            let mut content = self.lock();
            content.objects.retain(|key, _| key.0 != number);
            let objects = objects
                .into_iter()
                .map(|object| (key(number, &object), object));
            content.objects.extend(objects);
            if !*has_come {
                content.missing -= 1;
                *has_come = true;
            }
        }
        source.changed.notify_one();
        loop {
            let mut events = source.watch(&version).await?;
            while let Some(line) = events.next().await? {
                match self.take(number, &line)? {
                    Taken::Anew => return Ok(()),
                    Taken::Version(next) => version = next,
                }
                source.changed.notify_one();
            }
        }
    }

    fn take(&self, number: usize, line: &[u8]) -> Result<Taken, String> {
        let event: Event<'_> = serde_json::from_slice(line).map_err(|error| error.to_string())?;
        if event.kind == "ERROR" {
            // Most often the version is too old to go on from.
            return Ok(Taken::Anew);
        }
        let object: T =
            serde_json::from_str(event.object.get()).map_err(|error| error.to_string())?;
        let version = object.meta().resource_version.clone();
        let key = key(number, &object);
        match event.kind.as_str() {
            "ADDED" | "MODIFIED" => drop(self.lock().objects.insert(key, object)),
            "DELETED" => drop(self.lock().objects.remove(&key)),
            _ => {}
        }
        Ok(Taken::Version(version))
    }
}

fn key<T: Object>(number: usize, object: &T) -> (usize, String, String) {
    let meta = object.meta();
    (number, meta.namespace.clone(), meta.name.clone())
}

/// What came of an event.
enum Taken {
    Version(String),
    /// A new list is needed.
    Anew,
}

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(rename = "type")]
    kind: String,
    #[serde(borrow)]
    object: &'a RawValue,
}

#[derive(Deserialize)]
struct List<T> {
    metadata: ListMeta,
    items: Option<Vec<T>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct ListMeta {
    resource_version: String,
    #[serde(rename = "continue")]
    next: String,
}

/// Where objects are listed.
#[derive(Debug, Clone)]
pub(super) struct Source {
    pub(super) client: HttpClient,
    /// With the selectors.
    pub(super) url: Url,
    pub(super) changed: Arc<Notify>,
}

impl Source {
    async fn list<T: Object>(&self) -> Result<(Vec<T>, String), String> {
        let (mut objects, mut next) = (Vec::new(), String::new());
        for _page in 0..MAX_PAGES {
            let mut url = self.url.clone();
            url.query_pairs_mut().append_pair("limit", PAGE);
            if !next.is_empty() {
                url.query_pairs_mut().append_pair("continue", &next);
            }
            let (page, _) = get_json::<List<T>>(&self.client, url, LIST_TIMEOUT).await?;
            objects.extend(page.items.unwrap_or_default());
            next = page.metadata.next;
            if next.is_empty() {
                return Ok((objects, page.metadata.resource_version));
            }
        }
        Err(format!("there are more than {MAX_PAGES} pages"))
    }

    async fn watch(&self, version: &str) -> Result<Events, String> {
        let mut url = self.url.clone();
        url.query_pairs_mut()
            .append_pair("watch", "true")
            .append_pair("allowWatchBookmarks", "true")
            .append_pair("resourceVersion", version)
            .append_pair("timeoutSeconds", &WATCH_SECONDS.to_string());
        let request = self.client.get(url).await.map_err(|e| e.to_string())?;
        let timeout = Duration::from_secs(WATCH_SECONDS + 30);
        let sent = request.timeout(timeout).send().await;
        let response = sent.map_err(|error| root_cause(&error))?;
        if !response.status().is_success() {
            let refused = read(response).await;
            return Err(refused.err().unwrap_or_default());
        }
        Ok(Events {
            response,
            buffer: Vec::new(),
        })
    }
}

/// An answer that goes on, one event a line.
struct Events {
    response: Response,
    buffer: Vec<u8>,
}

impl Events {
    async fn next(&mut self) -> Result<Option<Vec<u8>>, String> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let rest = self.buffer.split_off(end + 1);
                return Ok(Some(std::mem::replace(&mut self.buffer, rest)));
            }
            match self.response.chunk().await {
                Ok(None) => return Ok(None),
                Ok(Some(chunk)) if self.buffer.len() + chunk.len() <= MAX_EVENT_BYTES => {
                    self.buffer.extend_from_slice(&chunk);
                }
                Ok(Some(_)) => return Err("an event is too large".to_owned()),
                Err(error) => return Err(root_cause(&error)),
            }
        }
    }
}
