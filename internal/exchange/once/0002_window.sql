-- To find the keys of headers that are past their window, and only them.
create index once_keys_window on once_keys (at) where header = 1;
