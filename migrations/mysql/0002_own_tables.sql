-- Tables of our own. The prefix keeps them apart from the compatible ones; older binaries do not know them.

CREATE TABLE IF NOT EXISTS `orchestrator_migration` (
    `number` int unsigned NOT NULL,
    `name` varchar(128) NOT NULL,
    `applied_at` timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
    PRIMARY KEY (`number`)
) ENGINE=InnoDB DEFAULT CHARSET=ascii;

-- What is known of a server beyond the compatible columns, as JSON.
CREATE TABLE IF NOT EXISTS `orchestrator_instance_extra` (
    `hostname` varchar(128) NOT NULL,
    `port` smallint unsigned NOT NULL,
    `extra` mediumtext CHARACTER SET utf8mb4 NOT NULL,
    PRIMARY KEY (`hostname`, `port`)
) ENGINE=InnoDB DEFAULT CHARSET=ascii;

-- Who did what an audit row tells.
CREATE TABLE IF NOT EXISTS `orchestrator_audit_actor` (
    `audit_id` bigint unsigned NOT NULL,
    `actor` varchar(255) CHARACTER SET utf8mb4 NOT NULL,
    PRIMARY KEY (`audit_id`)
) ENGINE=InnoDB DEFAULT CHARSET=ascii;

-- Recoveries in full, with the state of their machine, so that another process can finish them.
CREATE TABLE IF NOT EXISTS `orchestrator_recovery` (
    `uid` varchar(128) NOT NULL,
    `cluster_name` varchar(128) NOT NULL,
    `state` varchar(16) NOT NULL,
    `recovery` mediumtext CHARACTER SET utf8mb4 NOT NULL,
    `machine` mediumtext CHARACTER SET utf8mb4 NOT NULL,
    `node_hostname` varchar(128) NOT NULL,
    `node_token` varchar(128) NOT NULL,
    `started_at` timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
    `updated_at` timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
    PRIMARY KEY (`uid`),
    KEY `started_idx_orchestrator_recovery` (`started_at`),
    KEY `state_idx_orchestrator_recovery` (`state`)
) ENGINE=InnoDB DEFAULT CHARSET=ascii;

-- Their steps, each recorded before it is run.
CREATE TABLE IF NOT EXISTS `orchestrator_recovery_step` (
    `uid` varchar(128) NOT NULL,
    `step` int unsigned NOT NULL,
    `record` mediumtext CHARACTER SET utf8mb4 NOT NULL,
    PRIMARY KEY (`uid`, `step`)
) ENGINE=InnoDB DEFAULT CHARSET=ascii;

-- Rows to lock where a decision must be taken by one node at a time.
CREATE TABLE IF NOT EXISTS `orchestrator_lock` (
    `name` varchar(64) NOT NULL,
    PRIMARY KEY (`name`)
) ENGINE=InnoDB DEFAULT CHARSET=ascii;
INSERT IGNORE INTO `orchestrator_lock` (`name`) VALUES ('recovery');
