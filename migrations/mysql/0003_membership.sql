-- The latest word on whether a server is managed: forgotten, or asked for. It is how processes beside each other learn of it.

CREATE TABLE IF NOT EXISTS `orchestrator_membership` (
    `hostname` varchar(128) NOT NULL,
    `port` smallint unsigned NOT NULL,
    `is_member` tinyint unsigned NOT NULL,
    `recorded_at` timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
    `valid_until` timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
    `node_token` varchar(128) NOT NULL,
    PRIMARY KEY (`hostname`, `port`)
) ENGINE=InnoDB DEFAULT CHARSET=ascii;

-- Holds on servers are taken by one process at a time.
INSERT IGNORE INTO `orchestrator_lock` (`name`) VALUES ('holds');
