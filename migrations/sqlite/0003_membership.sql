-- The latest word on whether a server is managed: forgotten, or asked for. It is how processes beside each other learn of it.

CREATE TABLE IF NOT EXISTS `orchestrator_membership` (
    `hostname` varchar(128) NOT NULL,
    `port` smallint NOT NULL,
    `is_member` smallint NOT NULL,
    `recorded_at` timestamp NOT NULL,
    `valid_until` timestamp NOT NULL,
    `node_token` varchar(128) NOT NULL,
    PRIMARY KEY (`hostname`, `port`)
);

-- Holds on servers are taken by one process at a time.
INSERT OR IGNORE INTO `orchestrator_lock` (`name`) VALUES ('holds');
