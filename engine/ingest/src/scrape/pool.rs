//! The targets of one job.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use obsq_model::Labels;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use super::discovery::{Update, follow, known_groups};
use super::environment::Environment;
use super::groups::TargetGroup;
use super::snapshot::{DroppedTarget, PoolSnapshot, TargetHealth, TargetMetadata, TargetSnapshot};
use super::target::{Found, Target, targets_of};
use super::target_loop::{Job, Lasting, TargetLoop, Turn};
use crate::client::HttpClient;
use crate::config::{Discovery, ScrapeConfig, SecretSource};

/// A running pool.
#[derive(Debug)]
pub(super) struct Pool {
    state: Arc<Mutex<PoolState>>,
    orders: mpsc::Sender<Order>,
}

#[derive(Debug)]
enum Order {
    /// Goes on with another configuration of the same job.
    Reload(Arc<ScrapeConfig>),
    /// Ends; the turn says whether the targets are gone.
    End(Turn),
}

/// What a pool shows of itself.
#[derive(Debug)]
struct PoolState {
    config: Arc<ScrapeConfig>,
    active: BTreeMap<u64, ActiveTarget>,
    dropped: Vec<Labels>,
    dropped_count: usize,
}

#[derive(Debug)]
struct ActiveTarget {
    scraping: Arc<TargetLoop>,
    turn: Arc<watch::Sender<Turn>>,
}

impl Pool {
    pub(super) fn start(config: Arc<ScrapeConfig>, environment: Arc<Environment>) -> Self {
        let state = Arc::new(Mutex::new(PoolState {
            config: Arc::clone(&config),
            active: BTreeMap::new(),
            dropped: Vec::new(),
            dropped_count: 0,
        }));
        let (orders, inbox) = mpsc::channel(4);
        let unready = Err("the client is not set up yet".to_owned());
        let runner = Runner {
            job: Job {
                config,
                client: Arc::new(Mutex::new(unready)),
                environment,
            },
            state: Arc::clone(&state),
            found: Vec::new(),
            patience: None,
            loops: JoinSet::new(),
            leaving: Vec::new(),
        };
        tokio::spawn(runner.run(inbox));
        Self { state, orders }
    }

    pub(super) fn config(&self) -> Arc<ScrapeConfig> {
        Arc::clone(&self.lock().config)
    }

    /// Goes on with another configuration; what was remembered of targets stays.
    pub(super) async fn reload(&self, config: Arc<ScrapeConfig>) {
        self.lock().config = Arc::clone(&config);
        // A pool that has ended has nothing to reload.
        drop(self.orders.send(Order::Reload(config)).await);
    }

    /// Tells the pool to end. With [`Turn::Retire`] it does so when its targets have had their two
    /// turns to come back, and can still be told to hurry by [`Turn::Shutdown`].
    pub(super) async fn end(&self, turn: Turn) {
        // A pool that has ended need not be told.
        drop(self.orders.send(Order::End(turn)).await);
    }

    /// Returns when the pool has ended.
    pub(super) async fn ended(&self) {
        self.orders.closed().await;
    }

    pub(super) fn has_ended(&self) -> bool {
        self.orders.is_closed()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, PoolState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn snapshot(&self) -> PoolSnapshot {
        let state = self.lock();
        let mut active: Vec<_> = state.active.values().map(ActiveTarget::snapshot).collect();
        active.sort_by(|a, b| a.url.cmp(&b.url));
        PoolSnapshot {
            name: state.config.job_name.clone(),
            active,
            dropped: state
                .dropped
                .iter()
                .map(|labels| DroppedTarget {
                    discovered_labels: labels.clone(),
                })
                .collect(),
            dropped_count: state.dropped_count,
        }
    }

    pub(super) fn metadata(&self) -> Vec<TargetMetadata> {
        let state = self.lock();
        let targets = state.active.values().map(|active| {
            let memory = active
                .scraping
                .lasting
                .memory
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            let families = memory.metadata.iter();
            TargetMetadata {
                labels: active.scraping.target.labels.clone(),
                families: families
                    .map(|(family, (metadata, _))| (family.clone(), metadata.clone()))
                    .collect(),
            }
        });
        targets.collect()
    }
}

impl ActiveTarget {
    fn snapshot(&self) -> TargetSnapshot {
        let target = &self.scraping.target;
        let status = self
            .scraping
            .lasting
            .status
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let health = match (status.scraped_ms, &status.error) {
            (None, _) => TargetHealth::Unknown,
            (Some(_), None) => TargetHealth::Up,
            (Some(_), Some(_)) => TargetHealth::Down,
        };
        TargetSnapshot {
            discovered_labels: target.discovered.clone(),
            labels: target.labels.clone(),
            url: target.url.to_string(),
            last_error: status.error,
            last_scrape_ms: status.scraped_ms,
            last_duration: status.duration,
            health,
            interval_ms: target.interval_ms,
            timeout_ms: target.timeout_ms,
        }
    }
}

/// What one discovery has found so far; `None` before it first answered.
#[derive(Debug)]
struct FoundBy {
    discovery: Discovery,
    groups: Option<Vec<TargetGroup>>,
}

/// How long a changed configuration waits for its discoveries before targets that they did not
/// find are taken for gone.
const RELOAD_PATIENCE: Duration = Duration::from_secs(5);
/// How often certificates are read again, or a client that could not be made is tried again.
const CLIENT_REFRESH: Duration = Duration::from_mins(1);

/// The pool's own task.
#[derive(Debug)]
struct Runner {
    job: Job,
    state: Arc<Mutex<PoolState>>,
    found: Vec<FoundBy>,
    /// Until when a changed configuration waits for its discoveries; `None` when it holds.
    patience: Option<Instant>,
    loops: JoinSet<()>,
    /// Loops that were told to end, so that they can still be told to hurry.
    leaving: Vec<Arc<watch::Sender<Turn>>>,
}

impl Runner {
    async fn run(mut self, mut inbox: mpsc::Receiver<Order>) {
        loop {
            self.refresh_client().await;
            let mut updates = self.follow_discoveries();
            self.sync();
            let order = self.follow(&mut updates, &mut inbox).await;
            drop(updates);
            match order {
                Some(Order::Reload(config)) => {
                    self.job.config = config;
                    self.patience = Some(Instant::now() + RELOAD_PATIENCE);
                }
                Some(Order::End(turn)) => return self.end(turn, inbox).await,
                None => return self.end(Turn::Shutdown, inbox).await,
            }
        }
    }

    /// Follows the discoveries until there is an order.
    async fn follow(
        &mut self,
        updates: &mut mpsc::Receiver<Update>,
        inbox: &mut mpsc::Receiver<Order>,
    ) -> Option<Order> {
        loop {
            let patience = self.patience.unwrap_or_else(Instant::now);
            tokio::select! {
                order = inbox.recv() => return order,
                Some(update) = updates.recv() => {
                    if let Some(found) = self.found.get_mut(update.discovery) {
                        found.groups = Some(update.groups);
                    }
                    self.sync();
                }
                () = sleep_until(patience), if self.patience.is_some() => self.sync(),
                () = sleep(CLIENT_REFRESH), if self.client_may_change() => {
                    self.refresh_client().await;
                }
                Some(_ended) = self.loops.join_next() => {}
            }
        }
    }

    async fn refresh_client(&self) {
        let user_agent = &self.job.environment.user_agent;
        let client = HttpClient::new(&self.job.config.http, user_agent).await;
        if let Err(error) = &client {
            tracing::error!(job = %self.job.config.job_name, %error, "cannot scrape");
        }
        *self
            .job
            .client
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = client.map_err(|error| error.to_string());
    }

    fn client_may_change(&self) -> bool {
        let tls = &self.job.config.http.tls;
        let in_file = |source: &Option<SecretSource>| matches!(source, Some(SecretSource::File(_)));
        let client = self
            .job
            .client
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        client.is_err() || in_file(&tls.ca) || in_file(&tls.cert) || in_file(&tls.key)
    }

    /// Starts to follow all discoveries; what those that are configured as before have found is
    /// kept until they answer anew.
    fn follow_discoveries(&mut self) -> mpsc::Receiver<Update> {
        let before = std::mem::take(&mut self.found);
        let (sender, updates) = mpsc::channel(16);
        for (index, discovery) in self.job.config.discoveries.iter().enumerate() {
            let known = before.iter().find(|known| known.discovery == *discovery);
            let groups = known_groups(discovery);
            self.found.push(FoundBy {
                discovery: discovery.clone(),
                groups: groups.or_else(|| known.and_then(|known| known.groups.clone())),
            });
            let user_agent = self.job.environment.user_agent.clone();
            tokio::spawn(follow(index, discovery.clone(), user_agent, sender.clone()));
        }
        updates
    }

    /// Brings the running loops in line with what was found. Loops that were started with another
    /// configuration are replaced, but not before all discoveries of the present one have
    /// answered, for until then nobody knows which targets are gone.
    fn sync(&mut self) {
        let is_complete = self.found.iter().all(|found| found.groups.is_some());
        if !is_complete && self.patience.is_some_and(|until| Instant::now() < until) {
            return;
        }
        self.patience = None;
        let (targets, dropped) = self.targets();
        let state = Arc::clone(&self.state);
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        let known: Vec<u64> = state.active.keys().copied().collect();
        for id in known.into_iter().filter(|id| !targets.contains_key(id)) {
            if let Some(active) = state.active.remove(&id) {
                self.tell(&active.turn, Turn::Retire);
            }
        }
        for (id, target) in targets {
            let lasting = match state.active.get(&id) {
                Some(active) if active.scraping.is_of(&self.job.config) => continue,
                Some(active) => {
                    self.tell(&active.turn, Turn::Replace);
                    active.scraping.lasting.clone()
                }
                None => Lasting::default(),
            };
            let active = self.scrape(target, lasting);
            state.active.insert(id, active);
        }
        let keep = match self.job.config.limits.keep_dropped_targets {
            0 => usize::MAX,
            limit => limit,
        };
        state.dropped_count = dropped.len();
        state.dropped = dropped.into_iter().take(keep).collect();
        self.apply_target_limit(&state);
    }

    /// Returns the targets by identity and those that rules dropped.
    fn targets(&self) -> (BTreeMap<u64, Target>, Vec<Labels>) {
        let mut targets = BTreeMap::new();
        let mut dropped = Vec::new();
        let groups = self
            .found
            .iter()
            .flat_map(|found| found.groups.iter().flatten());
        for found in groups.flat_map(|group| targets_of(group, &self.job.config)) {
            match found {
                Found::Active(target) => {
                    targets.entry(target.id).or_insert(*target);
                }
                Found::Dropped(labels) => dropped.push(labels),
                Found::Invalid(reason) => {
                    tracing::error!(job = %self.job.config.job_name, reason, "cannot scrape target");
                }
            }
        }
        (targets, dropped)
    }

    fn scrape(&mut self, target: Target, lasting: Lasting) -> ActiveTarget {
        let scraping = Arc::new(TargetLoop::new(target, lasting, self.job.clone()));
        let (turn, turns) = watch::channel(Turn::Run);
        self.loops.spawn(Arc::clone(&scraping).run(turns));
        ActiveTarget {
            scraping,
            turn: Arc::new(turn),
        }
    }

    fn apply_target_limit(&self, state: &PoolState) {
        let (limit, actual) = (self.job.config.limits.targets, state.active.len());
        let error = (limit > 0 && actual > limit).then(|| {
            format!("target_limit exceeded (number of targets: {actual}, limit: {limit})")
        });
        for active in state.active.values() {
            let mut forced = active
                .scraping
                .forced_error
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            forced.clone_from(&error);
        }
    }

    fn tell(&mut self, turn: &Arc<watch::Sender<Turn>>, what: Turn) {
        turn.send_replace(what);
        self.leaving.retain(|turn| turn.receiver_count() > 0);
        self.leaving.push(Arc::clone(turn));
    }

    /// Tells all loops to end and waits for them; an order to shut down makes them hurry.
    async fn end(mut self, turn: Turn, mut inbox: mpsc::Receiver<Order>) {
        {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            let active = std::mem::take(&mut state.active);
            self.leaving.extend(active.into_values().map(|active| {
                active.turn.send_replace(turn);
                active.turn
            }));
        }
        let mut hurry = turn == Turn::Shutdown;
        loop {
            if hurry {
                for leaving in &self.leaving {
                    leaving.send_replace(Turn::Shutdown);
                }
            }
            tokio::select! {
                ended = self.loops.join_next() => if ended.is_none() { return },
                order = inbox.recv(), if !hurry => {
                    hurry = matches!(order, None | Some(Order::End(Turn::Shutdown)));
                }
            }
        }
    }
}
