/* A shared object that loads and is no plugin. */
int frugal_something_else(void) { return 1; }
