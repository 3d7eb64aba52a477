import { test } from 'vitest';
import { startChatgptBackend } from './backend.ts';
import { startCodex, signIn, runTurn } from '../codex-driver.ts';
test('try', { timeout: 60000 }, async () => {
  const b = await startChatgptBackend();
  const c = await startCodex({ environment: b.codexEnvironment, config: b.codexConfig });
  const t=Date.now(); const lap=(s:string,...x:unknown[])=>console.log(Date.now()-t,s,...x.map(y=>JSON.stringify(y)));
  lap('signed', await signIn(c, (code) => b.approve(code, 'main')));
  lap('acct', await c.call('account/read', {}), await c.call('account/rateLimits/read', {}));
  for (const w of ['hello id=a-1', 'x [[say:héllo 🙂 wörld]]', '[[json:{"a":[[1]]}]]','[[reasoning]] r','[[limit]]','[[status:429]]','[[status:500]]','[[status:503]]','[[status:400]]','[[status:404]]','[[status:401]]','[[context]]','[[policy]]','[[half]]','[[length]]'])
    { const n=c.messages.length; lap(w, await runTurn(c, w)); 
      const rl=c.messages.slice(n).filter(m=>m.method==='account/rateLimits/updated'); if(rl.length) console.log('  RL',rl.length,JSON.stringify(rl.at(-1)!.params).slice(0,300)); }
  b.script('main',{transport:'sse'});
  console.log(JSON.stringify(b.counts()), b.attempts().map(a=>a.transport+' '+a.lastUserText.slice(0,30)+' '+a.outcome+' '+a.status));
  console.log(JSON.stringify(b.attempts()[0]).slice(0,1500));
  await c.close(); await b.close();
});
