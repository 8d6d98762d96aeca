-- The website reads with this role.

DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'website_readonly') THEN
        GRANT SELECT ON rounds, player_comprehensive_stats, lua_round_teams, lua_spawn_stats, gametimes_facts,
            gametimes_groups, gametimes_rejected, gametimes_files, gametimes_state TO website_readonly;
    END IF;
END
$$;
