import de.bwaldvogel.mongo.MongoServer;
import de.bwaldvogel.mongo.MongoVersion;
import de.bwaldvogel.mongo.backend.h2.H2Backend;
import de.bwaldvogel.mongo.bson.Document;
import de.bwaldvogel.mongo.wire.message.MongoMessage;
import java.io.IOException;
import java.io.InputStream;
import java.util.List;
import java.util.Set;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.ReadWriteLock;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import org.h2.mvstore.MVStore;

/**
 * A MongoDB server of last resort: mongo-java-server on one H2 file, on the loopback address only. A write is
 * acknowledged after it is committed to the file, so that it survives the death of this process. The process ends in
 * an orderly way when its standard input ends: it never outlives the one that started it.
 *
 * Arguments: the port, the file.
 */
public final class EmbeddedMongo {
  /** What surely changes nothing; every other command is followed by a commit. */
  private static final Set<String> READS =
      Set.of("hello", "ismaster", "isMaster", "ping", "buildInfo", "buildinfo", "serverStatus", "find", "getMore",
          "killCursors", "endSessions", "aggregate", "count", "distinct", "explain", "listCollections",
          "listDatabases", "listIndexes", "collStats", "dbStats", "getParameter", "whatsmyuri");

  /** H2 gives space back after this time, so that a file cut short by a power loss has an older, whole version. */
  private static final int RETENTION_MS = 3_000;

  private static final int HOUSEKEEPING_INTERVAL_MS = 1_000;

  /** Chunks with less live data than this share are written anew, so that the file keeps near twice its content. */
  private static final int COMPACT_BELOW_PERCENT = 50;

  /** At most this much is rewritten in one go: writers wait meanwhile, about 10 ms. */
  private static final int COMPACT_BYTES = 2 * 1024 * 1024;

  /** What the last run left dead is given back at the start, in at most this time: 170 MB with 12 MB alive took 0.4 s. */
  private static final int START_COMPACTION_MS = 2_000;

  /** Exit codes, of which the starter knows the last: the file is whole after each, and a new start goes on from it. */
  private static final int CANNOT_SERVE = 1;
  private static final int CANNOT_WRITE = 4;
  private static final int DISK_FULL = 5;

  /** If the orderly end takes longer, the process ends without it; every acknowledged write is on file already. */
  private static final int END_LIMIT_MS = 8_000;

  public static void main(String[] arguments) {
    // First of all, so that nothing that hangs later outlives the starter.
    startDaemon("leash", EmbeddedMongo::endWithInput);
    try {
      serve(Integer.parseInt(arguments[0]), arguments[1]);
    } catch (Throwable cause) {
      // Not only what Java demands to be declared: a port that is taken comes as a checked BindException that is not. The server's own
      // threads would keep the process alive without a server.
      System.err.println("cannot serve: " + describe(cause));
      Runtime.getRuntime().halt(isDiskFull(cause) ? DISK_FULL : CANNOT_SERVE);
    }
  }

  /** The whole chain: the first alone says no more than "Could not write to file". */
  private static String describe(Throwable cause) {
    StringBuilder chain = new StringBuilder();
    for (Throwable link = cause; link != null; link = link.getCause()) {
      chain.append(chain.length() == 0 ? "" : " <- ").append(link);
    }
    return chain.toString();
  }

  private static boolean isDiskFull(Throwable cause) {
    for (Throwable link = cause; link != null; link = link.getCause()) {
      String message = String.valueOf(link.getMessage());
      if (message.contains("No space left on device") || message.contains("Disk quota exceeded")) {
        return true;
      }
    }
    return false;
  }

  private static void endWithInput() {
    waitForEndOf(System.in);
    startDaemon("end-limit", EmbeddedMongo::endHard);
    System.exit(0);
  }

  private static void serve(int port, String file) {
    MVStore store = openStore(file);
    Committer committer = new Committer(store);
    MongoServer server = new MongoServer(createBackend(store, committer));
    server.bind("127.0.0.1", port);
    Runtime.getRuntime().addShutdownHook(new Thread(() -> {
      server.shutdownNow();
      committer.close();
    }));
    startDaemon("housekeeping", committer::keepHouse);
    System.out.println("ready");
  }

  private static MVStore openStore(String file) {
    MVStore store = new MVStore.Builder().fileName(file).autoCommitDisabled().cacheSize(64).open();
    store.setRetentionTime(0);
    store.compact(COMPACT_BELOW_PERCENT, COMPACT_BYTES);
    store.commit();
    store.compactFile(START_COMPACTION_MS);
    store.setRetentionTime(RETENTION_MS);
    return store;
  }

  private static H2Backend createBackend(MVStore store, Committer committer) {
    H2Backend backend = new H2Backend(store) {
      @Override
      public Document handleMessage(MongoMessage message) {
        String command = message.getDocument().keySet().iterator().next();
        if (READS.contains(command)) {
          return super.handleMessage(message);
        }
        committer.beginWrite();
        try {
          return super.handleMessage(message);
        } finally {
          committer.endWrite();
        }
      }
    };
    // The driver refuses a server below wire version 9; the library reports 8 unless told otherwise.
    backend.version(new MongoVersion() {
      @Override
      public List<Integer> getVersionArray() {
        return List.of(7, 0, 0, 0);
      }

      @Override
      public int getWireVersion() {
        return 21;
      }
    });
    return backend;
  }

  private static void waitForEndOf(InputStream input) {
    try {
      while (input.read() >= 0) {
        // Nothing is ever said on it; only its end counts.
      }
    } catch (IOException cause) {
      System.err.println("standard input is broken, ending: " + cause.getMessage());
    }
  }

  private static void startDaemon(String name, Runnable task) {
    Thread thread = new Thread(task, name);
    thread.setDaemon(true);
    thread.start();
  }

  private static void endHard() {
    pause(END_LIMIT_MS);
    Runtime.getRuntime().halt(3);
  }

  private static void pause(int durationMs) {
    try {
      Thread.sleep(durationMs);
    } catch (InterruptedException cause) {
      Thread.currentThread().interrupt();
    }
  }

  /**
   * Commits never while a write is half done (an index entry without its document would be on file), and once for all
   * writes that ended meanwhile: writes share one side of a lock, the commit has the other to itself.
   */
  private static final class Committer {
    private final MVStore store;
    private final ReadWriteLock lock = new ReentrantReadWriteLock();
    private final AtomicLong ended = new AtomicLong();
    private long committed; // guarded by the write side of the lock
    private long synced; // used by housekeeping alone
    private volatile boolean closing;

    Committer(MVStore store) {
      this.store = store;
    }

    void beginWrite() {
      lock.readLock().lock();
    }

    void endWrite() {
      long own = ended.incrementAndGet();
      lock.readLock().unlock();
      lock.writeLock().lock();
      try {
        if (committed < own) {
          long upTo = ended.get();
          store.commit();
          // A store that could not write has closed itself; a commit of it does nothing.
          if (store.isClosed()) {
            throw closedBecause(store);
          }
          committed = upTo;
        }
      } catch (RuntimeException cause) {
        endWithoutAcknowledging(cause);
      } finally {
        lock.writeLock().unlock();
      }
    }

    /** Forces the file to the disk once a second, and rewrites what is mostly dead, so that the file does not grow. */
    void keepHouse() {
      while (!store.isClosed()) {
        pause(HOUSEKEEPING_INTERVAL_MS);
        long before = ended.get();
        if (before == synced) {
          continue;
        }
        lock.writeLock().lock();
        try {
          if (!store.isClosed()) {
            store.compact(COMPACT_BELOW_PERCENT, COMPACT_BYTES);
          }
        } catch (RuntimeException cause) {
          endWithoutAcknowledging(cause);
        } finally {
          lock.writeLock().unlock();
        }
        if (!store.isClosed()) {
          store.sync();
        }
        synced = before;
      }
      if (!closing) {
        endWithoutAcknowledging(closedBecause(store));
      }
    }

    /** A store that could not write has closed itself, and keeps why. */
    private static RuntimeException closedBecause(MVStore store) {
      return new IllegalStateException("the file is closed", store.getPanicException());
    }

    /** What is not on file is acknowledged to nobody: whoever waits sees the connection break. */
    private void endWithoutAcknowledging(RuntimeException cause) {
      System.err.println("cannot write to the file: " + describe(cause));
      Runtime.getRuntime().halt(isDiskFull(cause) ? DISK_FULL : CANNOT_WRITE);
    }

    void close() {
      closing = true;
      lock.writeLock().lock();
      try {
        if (!store.isClosed()) {
          store.commit();
          store.close();
        }
      } finally {
        lock.writeLock().unlock();
      }
    }
  }
}
