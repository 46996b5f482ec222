"""What several tests need. No test imports another test (tests/test_layout.py).

records made by hand        builders, contexts, decisions, recommendations, scenario_terms, strategies
documents of records        documents
studies without processes   fakes/ (the simulated world), one_run, studies, optimizations, shared_studies,
                            shared_fakes, simulation/ (runs are drawn, the statistics are real)
studies on disk             recorded (drawn by hand), several_loads (likewise), simulated (run in the
                            simulated world), stored,
                            example_study (the repository's)
sweeper as users start it   commands
servers and programs        truth/ (its best worker count is known), server_process (ours), drum_server,
                            postgres, containers (real ones), deployment (a script restarts it), certificates,
                            programs/ (started by path), code_folders, kinds and hook_files (models for them)
faults                      faults (in the simulated world), injection (into real runs), code_guard
the load, the page          load_sessions, page_reading, messages (all that sweeper can say)
the documentation           command_pages (written from the command line)
the machine                 needs, left_out, own_host, measuring (its lock), control_groups, small_disk,
                            kernel_files
"""
