// Loaded before the programs that we fork. They end themselves when we are gone, but one that is still loading its modules
// does not listen for that yet, and one that hangs never will.
const stoppingMs = 30_000;

process.once('disconnect', () => {
  if (process.listenerCount('disconnect') === 0) process.exit(1);
  setTimeout(() => process.exit(1), stoppingMs).unref();
});
