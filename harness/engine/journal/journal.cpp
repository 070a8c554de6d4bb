#include "engine/journal/journal.h"

#include "core/error.h"
#include "engine/journal/text.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <sqlite3.h>
#include <system_error>
#include <utility>

#include <fmt/format.h>

namespace deformdiff {
namespace {

namespace fs = std::filesystem;

/// A reader, such as `report`, holds a lock while it takes up what a killed run left.
constexpr int kPatienceMs = 10000;
constexpr int kFormat = 3;
constexpr int kApplication = 0x64666466;  // "dfdf": what `file` and we know the journal by

constexpr const char* kTables = R"(
CREATE TABLE run     (id TEXT PRIMARY KEY, record TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE block   (run TEXT, block TEXT, place INTEGER, record TEXT NOT NULL, PRIMARY KEY (run, block));
CREATE TABLE subject (run TEXT, block TEXT, subject TEXT, place INTEGER, record TEXT NOT NULL,
                      PRIMARY KEY (run, block, subject));
CREATE TABLE counted (run TEXT, block TEXT, subject TEXT, number INTEGER, cases TEXT NOT NULL,
                      record TEXT NOT NULL, PRIMARY KEY (run, block, subject, number)) WITHOUT ROWID;
CREATE TABLE drawn   (run TEXT, block TEXT, number INTEGER, cases TEXT NOT NULL, record TEXT NOT NULL,
                      PRIMARY KEY (run, block, number)) WITHOUT ROWID;
CREATE TABLE finding (run TEXT, block TEXT, place INTEGER, record TEXT NOT NULL,
                      PRIMARY KEY (run, block, place)) WITHOUT ROWID;
CREATE TABLE canary  (run TEXT, block TEXT, canary TEXT, place INTEGER, cases TEXT NOT NULL,
                      record TEXT NOT NULL, PRIMARY KEY (run, block, canary));
CREATE TABLE begun   (run TEXT, block TEXT, subject TEXT, cases TEXT NOT NULL,
                      PRIMARY KEY (run, block, subject)) WITHOUT ROWID;
)";

std::string reason_of(const SQLite::Exception& error) {
  switch (error.getErrorCode()) {
    case SQLITE_FULL:
      return "the disk is full";
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
      return "the folder or the file cannot be written";
    default:
      return error.what();
  }
}

/// Runs `work`; what SQLite throws becomes a JournalError that says what to do.
template <typename Work>
decltype(auto) told(const fs::path& file, Work&& work) {
  try {
    return work();
  } catch (const SQLite::Exception& error) {
    throw JournalError(fmt::format("{}: {}; what was found until then is kept, and --resume goes on from it",
                                   file.string(), reason_of(error)));
  }
}

void make_folder(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) throw JournalError(fmt::format("{}: cannot be created: {}", folder.string(), error.message()));
}

void want_ours(SQLite::Database& database, const fs::path& file) {
  if (database.execAndGet("PRAGMA application_id").getInt() != kApplication) {
    throw InputError(fmt::format("{}: this is no journal of deformdiff", file.string()));
  }
  const int format = database.execAndGet("PRAGMA user_version").getInt();
  if (format != kFormat) {
    throw InputError(fmt::format("{}: a journal of format {}; this program reads format {}", file.string(),
                                 format, kFormat));
  }
}

std::string dumped(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

fs::path journal_path(const fs::path& folder) {
  return folder / "journal.sqlite";
}

/// The connection and its statements, each compiled once.
struct Journal::Database {
  explicit Database(const fs::path& path)
      : file(path), connection(path.string(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE, kPatienceMs) {
    // After a power cut the last batches may be missing, but what is there is true.
    connection.exec("PRAGMA journal_mode = WAL");
    connection.exec("PRAGMA synchronous = NORMAL");
    connection.exec("PRAGMA wal_autocheckpoint = 1000");
  }

  template <typename... Values>
  void run(std::unique_ptr<SQLite::Statement>& statement, const char* text, const Values&... values) {
    told(file, [&] {
      want_in_place();
      if (!statement) statement = std::make_unique<SQLite::Statement>(connection, text);
      int place = 0;
      (statement->bind(++place, values), ...);
      statement->exec();
      statement->reset();
    });
  }

  /// Where the file's name is gone, SQLite would write on into what nobody will find.
  void want_in_place() {
    int moved = 0;
    sqlite3_file_control(connection.getHandle(), "main", SQLITE_FCNTL_HAS_MOVED, &moved);
    if (moved == 0) return;
    throw JournalError(
        fmt::format("{}: was removed or replaced during the run; the findings until then are in {}",
                    file.string(), (file.parent_path() / "findings").string()));
  }

  fs::path file;
  SQLite::Database connection;
  std::unique_ptr<SQLite::Statement> run_, block_, subject_, counted_, drawn_, clear_, finding_, canary_,
      begin_, end_;
};

Journal::Journal(fs::path folder, FolderLock lock, std::unique_ptr<Database> database)
    : folder_(std::move(folder)), lock_(std::move(lock)), database_(std::move(database)) {}

Journal::Journal(Journal&&) noexcept = default;
Journal& Journal::operator=(Journal&&) noexcept = default;
Journal::~Journal() = default;

Journal Journal::create(const fs::path& folder) {
  make_folder(folder);
  FolderLock lock(folder);
  const fs::path path = journal_path(folder);
  const fs::path previous = folder / "journal.previous.sqlite";
  std::error_code ignored;
  for (const char* companion : {"-wal", "-shm"}) {
    fs::remove(previous.string() + companion, ignored);
    fs::rename(path.string() + companion, previous.string() + companion, ignored);
  }
  fs::rename(path, previous, ignored);
  auto database = told(path, [&] {
    auto made = std::make_unique<Database>(path);
    SQLite::Transaction whole(made->connection);
    made->connection.exec(kTables);
    made->connection.exec(fmt::format("PRAGMA application_id = {}", kApplication));
    made->connection.exec(fmt::format("PRAGMA user_version = {}", kFormat));
    whole.commit();
    return made;
  });
  return {folder, std::move(lock), std::move(database)};
}

Journal Journal::open(const fs::path& folder) {
  const fs::path path = journal_path(folder);
  if (!fs::exists(path)) {
    throw InputError(fmt::format("{}: there is no journal to go on with; leave out --resume", path.string()));
  }
  FolderLock lock(folder);
  auto database = told(path, [&] {
    auto opened = std::make_unique<Database>(path);
    want_ours(opened->connection, path);
    return opened;
  });
  return {folder, std::move(lock), std::move(database)};
}

void Journal::in_one(const std::function<void()>& write) {
  told(database_->file, [&] {
    SQLite::Transaction whole(database_->connection);
    write();
    whole.commit();
  });
}

void Journal::write_run(const RunRecord& run) {
  database_->run(database_->run_, "INSERT OR REPLACE INTO run VALUES (?, ?)", run.id, dumped(json_of(run)));
}

void Journal::write_block(const std::string& run, const std::string& block, const BlockRecord& record) {
  database_->run(database_->block_,
                 "INSERT INTO block VALUES (?, ?, (SELECT COUNT(*) FROM block), ?) "
                 "ON CONFLICT DO UPDATE SET record = excluded.record",
                 run, block, dumped(json_of(record)));
}

void Journal::write_subject(const std::string& run, const std::string& block, const SubjectRecord& record) {
  database_->run(database_->subject_,
                 "INSERT INTO subject VALUES (?, ?, ?, (SELECT COUNT(*) FROM subject), ?) "
                 "ON CONFLICT DO UPDATE SET record = excluded.record",
                 run, block, record.info.name, dumped(json_of(record)));
}

void Journal::write_counted(const std::string& run, const std::string& block, const std::string& subject,
                            std::size_t number, const CountedCases& counted) {
  database_->run(database_->counted_, "INSERT OR REPLACE INTO counted VALUES (?, ?, ?, ?, ?, ?)", run, block,
                 subject, static_cast<std::int64_t>(number), text_of(counted.cases),
                 dumped(json_of(counted)));
}

void Journal::write_drawn(const std::string& run, const std::string& block, std::size_t number,
                          const DrawnCases& drawn) {
  database_->run(database_->drawn_, "INSERT OR REPLACE INTO drawn VALUES (?, ?, ?, ?, ?)", run, block,
                 static_cast<std::int64_t>(number), text_of(drawn.cases), dumped(json_of(drawn)));
}

void Journal::write_findings(const std::string& run, const std::string& block,
                             const std::vector<FindingRecord>& findings) {
  database_->run(database_->clear_, "DELETE FROM finding WHERE run = ? AND block = ?", run, block);
  std::int64_t place = 0;
  for (const FindingRecord& finding : findings) {
    database_->run(database_->finding_, "INSERT INTO finding VALUES (?, ?, ?, ?)", run, block, place++,
                   dumped(json_of(finding)));
  }
}

void Journal::write_canary(const std::string& run, const Canary& canary) {
  database_->run(database_->canary_,
                 "INSERT INTO canary VALUES (?, ?, ?, (SELECT COUNT(*) FROM canary), ?, ?) "
                 "ON CONFLICT DO UPDATE SET cases = excluded.cases, record = excluded.record",
                 run, canary.block, canary.name, text_of(canary.cases), dumped(json_of(canary)));
}

void Journal::write_begun(const std::string& run, const std::string& block, const std::string& subject,
                          const CaseRanges& cases) {
  if (cases.empty()) {
    database_->run(database_->end_, "DELETE FROM begun WHERE run = ? AND block = ? AND subject = ?", run,
                   block, subject);
  } else {
    database_->run(database_->begin_, "INSERT OR REPLACE INTO begun VALUES (?, ?, ?, ?)", run, block, subject,
                   text_of(cases));
  }
}

namespace {

/// Rows of a table in their order; each is given to `take` with its columns.
template <typename Take>
void each_row(SQLite::Database& database, const char* query, const std::string& run, Take&& take) {
  SQLite::Statement rows(database, query);
  rows.bind(1, run);
  while (rows.executeStep()) take(rows);
}

JournalledRun read_run(SQLite::Database& database, RunRecord record) {
  JournalledRun read;
  read.run = std::move(record);
  const std::string& id = read.run.id;
  std::map<std::string, BlockOfRun> blocks;
  std::vector<std::string> order;
  const auto text = [](SQLite::Statement& row, int column) { return row.getColumn(column).getString(); };
  const auto json = [&](SQLite::Statement& row, int column) { return Json::parse(text(row, column)); };
  each_row(database, "SELECT block, record FROM block WHERE run = ? ORDER BY place", id, [&](auto& row) {
    order.push_back(text(row, 0));
    blocks[order.back()].block = block_from(json(row, 1));
  });
  each_row(database, "SELECT block, subject, record FROM subject WHERE run = ? ORDER BY place", id,
           [&](auto& row) {
             BlockOfRun& block = blocks[text(row, 0)];
             block.order.push_back(text(row, 1));
             block.subjects[block.order.back()] = subject_from(json(row, 2));
           });
  each_row(database, "SELECT block, subject, cases, record FROM counted WHERE run = ? ORDER BY number", id,
           [&](auto& row) {
             CountedCases counted = counted_from(json(row, 3));
             counted.cases = parse_case_ranges(text(row, 2));
             blocks[text(row, 0)].counted[text(row, 1)].push_back(std::move(counted));
           });
  each_row(database, "SELECT block, cases, record FROM drawn WHERE run = ? ORDER BY number", id,
           [&](auto& row) {
             DrawnCases drawn = drawn_from(json(row, 2));
             drawn.cases = parse_case_ranges(text(row, 1));
             blocks[text(row, 0)].drawn.push_back(std::move(drawn));
           });
  each_row(database, "SELECT block, record FROM finding WHERE run = ? ORDER BY block, place", id,
           [&](auto& row) { blocks[text(row, 0)].findings.push_back(finding_from(json(row, 1))); });
  each_row(database, "SELECT block, cases, record FROM canary WHERE run = ? ORDER BY place", id,
           [&](auto& row) {
             Canary canary = canary_from(json(row, 2));
             canary.block = text(row, 0);
             canary.cases = parse_case_ranges(text(row, 1));
             blocks[canary.block].canaries.push_back(std::move(canary));
           });
  each_row(database, "SELECT block, subject, cases FROM begun WHERE run = ?", id,
           [&](auto& row) { blocks[text(row, 0)].begun[text(row, 1)] = parse_case_ranges(text(row, 2)); });
  for (const std::string& block : order) read.blocks.emplace_back(block, std::move(blocks[block]));
  return read;
}

}  // namespace

std::vector<JournalledRun> read_journal(const fs::path& folder) {
  const fs::path path = journal_path(folder);
  if (!fs::exists(path)) {
    throw InputError(
        fmt::format("{}: there is no journal; give the --out folder of a fuzz run", path.string()));
  }
  try {
    SQLite::Database database(path.string(), SQLite::OPEN_READONLY, kPatienceMs);
    want_ours(database, path);
    // One state of the file, whatever its writer does meanwhile.
    SQLite::Transaction whole(database);
    std::vector<JournalledRun> runs;
    SQLite::Statement rows(database, "SELECT record FROM run ORDER BY id");
    while (rows.executeStep()) {
      runs.push_back(read_run(database, run_from(Json::parse(rows.getColumn(0).getString()))));
    }
    return runs;
  } catch (const SQLite::Exception& error) {
    throw InputError(fmt::format("{}: cannot be read: {}", path.string(), error.what()));
  } catch (const nlohmann::json::exception& error) {
    throw InputError(fmt::format("{}: damaged: {}", path.string(), error.what()));
  }
}

}  // namespace deformdiff
