import type { CommandSuggestion } from '@claude-cli/proto/platform/v1/commands';

/** Well-known commands by category, the most used ones first; a line is a command and what it does. */
const tables = {
  git: `
    git status | Show the working tree status
    git add . | Add all files to staging area
    git commit -m | Commit staged changes with message
    git diff | Show changes that are not staged
    git diff --staged | Show changes that are staged
    git log --oneline -20 | Show the last 20 commits, one line each
    git pull --ff-only | Fetch and move the branch forward
    git push | Send commits to the remote
    git fetch --prune | Fetch from the remote and forget branches that it no longer has
    git branch -a | List all branches
    git switch | Go to a branch
    git switch -c | Create a branch and go to it
    git merge --no-ff | Merge a branch with a merge commit
    git stash | Put uncommitted changes aside
    git stash pop | Bring back what was put aside
    git show | Show the last commit
    git blame | Show who changed each line of a file
    git remote -v | List remotes
    git tag -l | List tags
    git restore --staged . | Take all files out of the staging area`,
  npm: `
    npm install | Install the dependencies
    npm ci | Install exactly what the lock file says
    npm test | Run the tests
    npm run build | Run the build script
    npm run dev | Run the development script
    npm start | Run the start script
    npm run | List the scripts
    npm run lint | Run the lint script
    npm outdated | List dependencies that have newer versions
    npm audit | Look for known vulnerabilities
    npm ls --depth=0 | List installed packages
    npm view | Show facts about a package
    npm pack --dry-run | Show what a package would contain
    npm version patch | Raise the patch version`,
  docker: `
    docker ps | List running containers
    docker ps -a | List all containers
    docker images | List images
    docker build -t | Build an image and name it
    docker compose up -d | Start the services in the background
    docker compose down | Stop the services
    docker compose logs -f | Follow the logs of the services
    docker compose ps | List the services
    docker logs -f | Follow the log of a container
    docker exec -it | Run a command in a container
    docker run --rm | Run an image and remove its container after
    docker pull | Fetch an image
    docker stats --no-stream | Show what containers use
    docker inspect | Show all facts about a container
    docker system df | Show what takes space`,
  files: `
    ls -la | List all files with details
    pwd | Show the working directory
    find . -name | Find files by name
    du -sh * | Show how large each file and directory is
    mkdir -p | Create a directory with those above it
    cp -r | Copy a directory
    mv | Move or rename a file
    rm -i | Delete a file after a question
    touch | Create an empty file
    tree -L 2 | Show directories as a tree, two levels deep
    chmod +x | Make a file executable
    ln -s | Create a symbolic link
    stat | Show facts about a file
    file | Tell the type of a file
    tar czf | Pack files into an archive
    tar xzf | Unpack an archive
    unzip -l | List what is in a zip archive`,
  node: `
    node --version | Show the version of Node
    node index.js | Run a program
    node --watch index.js | Run a program again whenever it changes
    node --test | Run tests with the test runner of Node
    node --inspect index.js | Run a program with the debugger
    node -e | Run code from the command line
    node -p process.versions | Show the versions of the parts of Node
    npx tsc --noEmit | Check types
    npx eslint . | Lint all files
    npx prettier --check . | Check the format of all files
    npx jest --coverage | Run tests and measure coverage
    npx biome check . | Check format and lint`,
  python: `
    python3 --version | Show the version of Python
    python3 -m venv .venv | Create a virtual environment
    pip install -r requirements.txt | Install the requirements
    pip list --outdated | List packages that have newer versions
    pip freeze | List installed packages with their versions
    python3 main.py | Run a program
    pytest -q | Run the tests
    pytest --lf | Run the tests that failed last
    python3 -m unittest | Run the tests with unittest
    python3 -m http.server | Serve the working directory over HTTP
    python3 -m json.tool | Check and format JSON
    ruff check . | Lint all files
    mypy . | Check types`,
  process: `
    ps aux | List all processes
    ps aux --sort=-%mem | List processes, those with most memory first
    pgrep -fl | Find processes by name
    kill | Ask a process to end
    jobs | List background jobs
    top -b -n 1 | Show what uses the processor
    lsof -i | List open network connections with their processes
    pstree -p | Show processes as a tree
    nohup | Run a command that outlives its terminal
    timeout 60 | Run a command for at most 60 seconds
    time | Measure how long a command takes
    wait | Wait for background jobs`,
  network: `
    curl -sS | Fetch an address
    curl -I | Show the headers of an address
    curl -fsSLO | Download a file
    ping -c 4 | See whether a host answers
    dig +short | Look up a name
    nslookup | Look up a name at a name server
    ip address | List network addresses
    ss -tlnp | List listening ports
    netstat -an | List connections
    traceroute | Show the way to a host
    wget -c | Download a file, and go on where it stopped
    nc -zv | See whether a port is open`,
  text: `
    grep -rn | Search files for a text
    grep -c | Count lines that match
    cat | Show a file
    head -n 20 | Show the first 20 lines
    tail -n 20 | Show the last 20 lines
    tail -f | Follow a file as it grows
    wc -l | Count lines
    sort | Sort lines
    sort -u | Sort lines and drop duplicates
    uniq -c | Count lines that repeat
    cut -d, -f1 | Show the first column
    sed -n 1,20p | Show a range of lines
    awk '{print $1}' | Show the first word of each line
    diff -u | Show how two files differ
    jq . | Format JSON
    less | Page through a file`,
  system: `
    uname -a | Show the system and its version
    df -h | Show how full the disks are
    free -h | Show how much memory is free
    uptime | Show how long the system has been running
    whoami | Show which user commands run as
    id | Show user and groups
    env | List environment variables
    date | Show date and time
    hostname | Show the name of the machine
    nproc | Show how many processors there are
    lscpu | Show facts about the processor
    which | Show where a program is
    cat /etc/os-release | Show which distribution it is
    ulimit -a | Show limits`,
  make: `
    make | Build the default target
    make -j4 | Build with four jobs at once
    make test | Run the tests
    make clean | Remove what was built
    make install DESTDIR=./out | Install into a directory
    make -n | Show what would be done
    make help | List the targets
    cmake -S . -B build | Prepare a build
    cmake --build build | Build
    ctest --test-dir build | Run the tests of a build`,
} as const;

/** Well-known commands, category by category. */
export const catalog: readonly CommandSuggestion[] = Object.entries(tables).flatMap(([category, table]) =>
  table
    .trim()
    .split('\n')
    .map((line) => {
      const [command = '', description = ''] = line.trim().split(' | ');
      return { command, description, category };
    }),
);
