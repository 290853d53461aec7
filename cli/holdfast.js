#!/usr/bin/env node
// The launcher. Plain JavaScript for old Node versions: it starts the command line under a Node that can run it, in
// this process where that is the caller's, else in a child under the Node that npm brought along.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import module from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const nodeMajorMin = 26
const parentWatchMs = 500

function isNewEnough() {
  return Number(process.versions.node.split('.')[0]) >= nodeMajorMin
}

/** The package that brings a Node: in the node_modules of this folder or of one above it. */
function findNodePackage() {
  let folder = dirname(fileURLToPath(import.meta.url))
  for (;;) {
    const path = join(folder, 'node_modules', 'node')
    if (existsSync(path)) return path
    const parent = dirname(folder)
    if (parent === folder) return undefined
    folder = parent
  }
}

function cannotRun(advice) {
  const versions = `needs Node.js ${nodeMajorMin} or newer, this is ${process.versions.node}`
  process.stderr.write(`holdfast: ${versions}; ${advice}\n`)
  process.exit(1)
}

function runUnder(node) {
  // The child takes the loss of the channel for our death, also by SIGKILL, and ends.
  const child = spawn(node, process.argv.slice(1), { stdio: ['inherit', 'inherit', 'inherit', 'ipc'] })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.on('error', (error) => {
    process.stderr.write(`holdfast: cannot run ${node}: ${error.message}\n`)
    process.exit(1)
  })
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code === null ? 1 : code)
    process.removeAllListeners(signal)
    process.kill(process.pid, signal)
  })
}

/** npm starts us through a shell that keeps npm's signals to itself: that shell's end is our order to stop. */
function stopWithParent() {
  const parent = process.ppid
  const watch = setInterval(() => {
    if (process.ppid === parent) return
    clearInterval(watch)
    process.kill(process.pid, 'SIGTERM')
  }, parentWatchMs)
  watch.unref()
}

// A process with a channel to its parent needs no watch: the channel ends with the parent.
if (process.env.npm_command !== undefined && process.send === undefined) stopWithParent()

if (isNewEnough()) {
  module.enableCompileCache()
  const { main } = await import('./main.ts')
  await main(process.argv.slice(2))
} else {
  const nodePackage = findNodePackage()
  if (nodePackage === undefined) cannotRun('"npm ci" brings one along')
  const node = join(nodePackage, 'bin', 'node')
  // The package's install script fetches it; npm may have been told to run none.
  if (!existsSync(node)) cannotRun('the one that npm brings along was not set up: run "npm rebuild node"')
  runUnder(node)
}
