-- Lets the website's role read all tables, if it exists, except gametimes_live: what happens now would not be late there. Runs at every start, because the role may be created later.
DO $$
DECLARE
    name TEXT;
BEGIN
    IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'website_readonly') THEN
        FOREACH name IN ARRAY ARRAY['rounds', 'player_comprehensive_stats', 'lua_round_teams', 'lua_spawn_stats',
            'gametimes_facts', 'gametimes_groups', 'gametimes_rejected', 'gametimes_files', 'gametimes_state',
            'gametimes_summaries', 'gametimes_digests', 'gametimes_servers', 'gametimes_reporters', 'gametimes_schema',
            'gametimes_stale_days', 'gametimes_player_days', 'gametimes_player_totals', 'gametimes_name_days', 'gametimes_player_names',
            'gametimes_map_days', 'gametimes_live_messages']
        LOOP
            IF to_regclass(name) IS NOT NULL AND NOT has_table_privilege('website_readonly', name, 'SELECT') THEN
                EXECUTE format('GRANT SELECT ON %I TO website_readonly', name);
            END IF;
        END LOOP;
    END IF;
END
$$;
