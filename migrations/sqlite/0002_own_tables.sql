-- Tables of our own. The prefix keeps them apart from the compatible ones; older binaries do not know them.

CREATE TABLE IF NOT EXISTS `orchestrator_migration` (
    `number` int NOT NULL,
    `name` varchar(128) NOT NULL,
    `applied_at` timestamp NOT NULL,
    PRIMARY KEY (`number`)
);

-- What is known of a server beyond the compatible columns, as JSON.
CREATE TABLE IF NOT EXISTS `orchestrator_instance_extra` (
    `hostname` varchar(128) NOT NULL,
    `port` smallint NOT NULL,
    `extra` text NOT NULL,
    PRIMARY KEY (`hostname`, `port`)
);

-- Who did what an audit row tells.
CREATE TABLE IF NOT EXISTS `orchestrator_audit_actor` (
    `audit_id` bigint NOT NULL,
    `actor` varchar(255) NOT NULL,
    PRIMARY KEY (`audit_id`)
);

-- Recoveries in full, with the state of their machine, so that another process can finish them.
CREATE TABLE IF NOT EXISTS `orchestrator_recovery` (
    `uid` varchar(128) NOT NULL,
    `cluster_name` varchar(128) NOT NULL,
    `state` varchar(16) NOT NULL,
    `recovery` text NOT NULL,
    `machine` text NOT NULL,
    `node_hostname` varchar(128) NOT NULL,
    `node_token` varchar(128) NOT NULL,
    `started_at` timestamp NOT NULL,
    `updated_at` timestamp NOT NULL,
    PRIMARY KEY (`uid`)
);
CREATE INDEX IF NOT EXISTS `state_idx_orchestrator_recovery` ON `orchestrator_recovery` (`state`);
CREATE INDEX IF NOT EXISTS `started_idx_orchestrator_recovery` ON `orchestrator_recovery` (`started_at`);

-- Their steps, each recorded before it is run.
CREATE TABLE IF NOT EXISTS `orchestrator_recovery_step` (
    `uid` varchar(128) NOT NULL,
    `step` int NOT NULL,
    `record` text NOT NULL,
    PRIMARY KEY (`uid`, `step`)
);

-- Rows to lock where a decision must be taken by one node at a time.
CREATE TABLE IF NOT EXISTS `orchestrator_lock` (
    `name` varchar(64) NOT NULL,
    PRIMARY KEY (`name`)
);
INSERT OR IGNORE INTO `orchestrator_lock` (`name`) VALUES ('recovery');
