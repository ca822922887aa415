/* A shared object that loads but is not a plugin. */
int frugal_something_else(void) { return 1; }
